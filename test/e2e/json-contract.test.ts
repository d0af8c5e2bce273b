import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { makeWorld, oneService, type World } from '../fixtures/world.js'

const header = ['schemaVersion', 'command', 'runId', 'status', 'dryRun', 'startedAt', 'finishedAt', 'durationMs', 'problems']
const stackKeys = ['name', 'directory', 'status', 'stateBefore', 'servicesBefore', 'stopMode', 'stopModeReason', 'possibleWriters', 'frozenBy', 'warmPass', 'quiet', 'snapshot', 'downtimeMs', 'readyMs', 'durationMs', 'verification', 'problems']
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

let world: World
/** Every result by its command's name, as `--json` printed it. */
const results = new Map<string, Record<string, unknown>>()

/** In an order in which each has something to say. */
const calls: readonly (readonly [name: string, args: readonly string[], body: readonly string[]])[] = [
  ['backup', ['backup'], ['stacks', 'retention']],
  ['sync', ['sync'], ['remote', 'uploaded', 'deleted', 'attempts', 'verified']],
  ['restore', ['restore', 'TARGET'], ['source', 'target', 'files', 'bytes', 'verification', 'snapshots', 'nextSteps']],
  ['recover', ['recover', 'web', '--yes'], ['stacks']],
  ['run', ['run'], ['backup', 'sync']],
  ['resume', ['resume'], ['stacks']],
  ['status', ['status'], ['stacks', 'repository', 'cloud', 'lastDrill', 'kit', 'nextRun']],
  ['verify', ['verify'], ['depth', 'checked', 'corrupt']],
  ['doctor', ['doctor'], ['checks']],
  ['snapshots', ['snapshots'], ['snapshots']],
  ['dirlist list', ['dirlist', 'list'], ['entries']],
  ['history', ['history'], ['runs']],
]

beforeAll(async () => {
  world = await makeWorld()
  await world.stack('web', { model: oneService })
  for (const [name, args] of calls) {
    const { exitCode, stdout, stderr } = await world.run([...args.map((arg) => (arg === 'TARGET' ? join(world.root, 'target') : arg)), '--json'])
    expect(exitCode, `${name}: ${stderr}`).toBe(0)
    results.set(name, JSON.parse(stdout) as Record<string, unknown>)
  }
})
afterAll(() => world.remove())

function at<T>(command: string, ...path: (string | number)[]): T {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], results.get(command)) as T
}

describe.each(calls)('%s --json', (name, _, body) => {
  it('is one document with the header of every result and its own keys', () => {
    const result = results.get(name) ?? {}
    expect(Object.keys(result).sort()).toEqual([...header, ...body].sort())
    expect(result).toMatchObject({ schemaVersion: 1, command: name, status: 'ok', dryRun: false, problems: [] })
    for (const key of ['startedAt', 'finishedAt']) expect(result[key]).toMatch(time)
    expect(result['durationMs']).toBe(Date.parse(result['finishedAt'] as string) - Date.parse(result['startedAt'] as string))
    expect(result['runId']).toMatch(/\S/)
  })
})

describe('the parts', () => {
  it('of backup', () => {
    expect(Object.keys(at('backup', 'stacks', 0)).sort()).toEqual([...stackKeys].sort())
    expect(Object.keys(at('backup', 'stacks', 0, 'snapshot')).sort()).toEqual(['id', 'bytesAdded', 'bytesProcessed', 'filesNew', 'filesChanged', 'filesUnmodified'].sort())
    expect(at('backup', 'stacks', 0, 'snapshot', 'id')).toMatch(/^[0-9a-f]{64}$/)
    for (const key of ['downtimeMs', 'readyMs', 'durationMs']) expect(at('backup', 'stacks', 0, key)).toBeGreaterThan(0)
    expect(at('backup', 'retention')).toEqual({ status: 'ok', removed: 0 })
  })

  it('of sync', () => {
    expect(Object.keys(at('sync', 'uploaded')).sort()).toEqual(['bytes', 'files'])
    expect(at('sync', 'deleted')).toEqual({ files: 0, snapshots: 0, bytes: 0 })
    expect(at('sync', 'attempts')).toBeGreaterThan(0)
  })

  it('of run: the two results whole', () => {
    expect(Object.keys(at('run', 'backup')).sort()).toEqual(Object.keys(results.get('backup') ?? {}).sort())
    expect(Object.keys(at('run', 'sync')).sort()).toEqual(Object.keys(results.get('sync') ?? {}).sort())
    expect([at('run', 'backup', 'command'), at('run', 'sync', 'command')]).toEqual(['backup', 'sync'])
    expect(at('run', 'backup', 'runId')).toBe(at('run', 'runId'))
  })

  it('of restore', () => {
    expect(Object.keys(at('restore', 'verification')).sort()).toEqual(['corrupt', 'filesChecked', 'status'])
    expect(at('restore', 'snapshots')).toBe(1)
  })

  it('of recover', () => {
    expect(at('recover', 'stacks', 0)).toEqual({
      name: 'web', directory: join(world.stacks, 'web'), snapshotId: at('backup', 'stacks', 0, 'snapshot', 'id'), status: 'ok', files: expect.any(Number) as number, bytes: expect.any(Number) as number, started: true, healthy: true, problems: [],
      changes: { replaced: [join(world.stacks, 'web')], removed: [], removedCount: 0, kept: [], keptCount: 0, keptAside: [] },
    })
  })

  it('of status', () => {
    expect(Object.keys(at('status', 'stacks', 0)).sort()).toEqual(['ageMs', 'enabled', 'lastDowntimeMs', 'lastReadyMs', 'lastSnapshot', 'name', 'newestSnapshot', 'overdue', 'state'])
    expect(Object.keys(at('status', 'repository')).sort()).toEqual(['bytes', 'id', 'path', 'reachable', 'snapshots'])
    expect(Object.keys(at('status', 'cloud')).sort()).toEqual(['ageMs', 'behindSnapshots', 'lastSync', 'overdue', 'remote'])
  })

  it('of doctor, snapshots, dirlist list and history', () => {
    expect(Object.keys(at('doctor', 'checks', 0)).sort()).toEqual(['fix', 'found', 'id', 'needed', 'status'])
    expect(Object.keys(at('snapshots', 'snapshots', 0)).sort()).toEqual(['bytes', 'host', 'id', 'paths', 'stack', 'tags', 'time'])
    expect(at('snapshots', 'snapshots', 0)).toMatchObject({ id: at('backup', 'stacks', 0, 'snapshot', 'id'), stack: 'web', host: 'testhost', tags: ['stackbk', 'stack:web'], time: expect.stringMatching(time) as string })
    expect(at('dirlist list', 'entries')).toEqual([expect.objectContaining({ name: 'web', path: join(world.stacks, 'web'), enabled: true, external: false, available: true })])
    expect(at<{ command: string; exitCode: number }[]>('history', 'runs').map((run) => `${run.command} ${run.exitCode}`)).toEqual(['resume 0', 'run 0', 'recover 0', 'restore 0', 'sync 0', 'backup 0'])
  })
})

describe('besides', () => {
  // Each document is held against its committed schema as it is read.
  it.each([['schedule', 'show'], ['schedule', 'install', '--print'], ['dirlist', 'refresh'], ['dirlist', 'enable', 'web'], ['config', 'check'], ['config', 'show'], ['config', 'schema'], ['completion', 'bash'], ['backup', '--dry-run'], ['plugins']])('%s %s is as its schema says', async (...args) => {
    const { exitCode, stderr } = await world.json(args)
    expect(exitCode, stderr).toBe(0)
  })

  it('every run has an ID of its own', () => {
    const ids = [...results.values()].map((result) => result['runId'])
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('global flags may stand before the command', async () => {
    const { exitCode, stdout } = await world.run(['--json', '--verbose', 'snapshots', 'web'])
    expect([exitCode, (JSON.parse(stdout) as { command: string }).command]).toEqual([0, 'snapshots'])
  })

  it('an error before a result is a document too', async () => {
    const { exitCode, stdout } = await world.run(['backup', 'nosuch', '--json'])
    expect(exitCode).toBe(2)
    expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['error'])
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'unknown-stack', message: expect.any(String) as string, fix: expect.any(String) as string, exitCode: 2 } })
  })

  it('without --json lines are plain: with times, without colour or cursor movement', async () => {
    const { exitCode, stdout, stderr } = await world.run(['backup'], { environment: { NO_COLOR: undefined, FORCE_COLOR: undefined } })
    expect(exitCode, stderr).toBe(0)
    expect(stdout + stderr).not.toContain('\u001b')
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d web: stopping$/m)
    expect(stdout).toMatch(/^web\s+ok\s/m)
  })

  it('--quiet says nothing when all is well', async () => {
    const { exitCode, stdout, stderr } = await world.run(['sync', '--quiet'])
    expect([exitCode, stdout, stderr]).toEqual([0, '', ''])
  })

  it('the run log holds the output of tools, in a file for its owner alone', () => {
    expect(world.picture(join(world.state, 'stackbk.log'))).toContain(' 100600 ')
    expect(world.log().some((line) => /docker/.test(String(line['tool'])))).toBe(true)
  })
})
