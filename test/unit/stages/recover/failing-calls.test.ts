import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Capsule, Engine, Runtime, StackState } from '@stackbk/contract'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'

import { mountPointOf } from '../../../../src/host/mounts.js'
import type { RecoveryPlan } from '../../../../src/stages/recover/plan.js'
import { beginRecovery, recoverStack } from '../../../../src/stages/recover/recover-stack.js'
import type { RecoveredStack } from '../../../../src/stages/recover/recover-result.js'
import { replayRecoveries } from '../../../../src/stages/recover/replay.js'
import { RecoveryRecords, type RecoveryPhase, type RecoveryRecord } from '../../../../src/stages/recover/record.js'
import { sharesOf } from '../../../../src/stages/recover/file-systems.js'
import { at, container, failure, ok, partly, snapshotOf, stateOf, testRun, write, type TestRun } from '../fixtures.js'

type Call = 'restore' | 'describe' | 'stop' | 'stillRunning' | 'look' | 'rename' | 'make' | 'fill' | 'start' | 'wait' | 'removeVolumes'

/** A stack with a folder and a volume, a runtime and an engine, of which single calls fail. */
class Host {
  running = true
  isThere = true
  readonly failing = new Map<Call, 'once' | 'always'>()
  readonly run: TestRun
  readonly runtime: Runtime
  readonly engine: Engine
  readonly directory = at('stacks/web')
  readonly volume = at('volumes/vol/_data')
  readonly whyNotDown: readonly string[]
  /** Its folder in the snapshot. */
  readonly origin: string

  constructor(whyNotDown: readonly string[] = [], origin?: string) {
    this.whyNotDown = whyNotDown
    this.origin = origin ?? this.directory
    write('stacks/web/data/v', 'broken')
    write('stacks/web/media/film', 'kept')
    write('volumes/vol/_data/row', 'broken')
    this.engine = partly<Engine>('engine', {
      location: () => ({ display: at('repository'), path: at('repository') }),
      excludeFilter: () => (path) => path.endsWith('/media'),
      restore: ({ target }) => {
        const put = (path: string): void => {
          mkdirSync(dirname(join(target, path)), { recursive: true })
          writeFileSync(join(target, path), 'good')
        }
        put(join(this.origin, 'data/v'))
        if (this.fails('restore')) return Promise.resolve(failure('failed', { message: 'no space left on device' }))
        put(join(this.volume, 'row'))
        return Promise.resolve(ok({ files: 2, bytes: 8 }))
      },
    })
    this.runtime = partly<Runtime>('runtime', {
      inspect: () => {
        if (!this.running && this.fails('look')) return Promise.resolve(failure('tool-not-answering'))
        return Promise.resolve(ok([this.state()]))
      },
      describe: () => Promise.resolve(this.fails('describe') ? failure() : ok(capsuleOf(this))),
      stop: () => {
        if (this.fails('stop')) return Promise.resolve(failure('failed', { message: 'the engine refuses the stop' }))
        if (this.fails('stillRunning')) return Promise.resolve(ok({ ended: [], stillRunning: ['web-app-1'] }))
        this.running = false
        this.isThere = false
        if (this.failing.has('rename')) execFileSync('chattr', ['+i', join(this.directory, 'data')])
        return Promise.resolve(ok({ ended: [], stillRunning: [] }))
      },
      start: () => {
        this.running = true
        this.isThere = true
        return Promise.resolve(ok(undefined))
      },
      waitUntilUp: () => Promise.resolve(ok({ isUp: this.running, missing: [], completed: [] })),
      rebuild: async (_, request) => {
        const isOld = request.images === 'local'
        if (!isOld && this.fails('make')) return failure('failed', { message: 'a container could not be made' })
        this.isThere = true
        if (!isOld && this.origin !== this.directory) {
          expect(request).toMatchObject({ directory: this.directory, moved: [{ from: this.origin, to: this.directory }] })
          request.onWriteFile?.(join(this.directory, 'compose.override.yaml'))
          writeFileSync(join(this.directory, 'compose.override.yaml'), 'written')
        }
        const path = !isOld && this.fails('fill') ? join(this.directory, 'data/v/none') : this.volume
        const filled = await request.fillVolumes([{ recorded: capsuleOf(this).projects[0]!.volumes[0]!, name: 'vol', path, isNew: false }])
        if (!filled.ok) return filled
        if (!isOld && this.fails('start')) return failure('failed', { message: 'a port is taken' })
        const isUp = isOld || !this.fails('wait')
        this.running = isUp
        return ok({ isUp, missing: isUp ? [] : [{ service: 'app', reason: 'it crashes' }], completed: [], unprovenImages: [], losses: [] })
      },
      removeVolumes: (names) => Promise.resolve(this.fails('removeVolumes') ? failure() : ok({ removed: names })),
    })
    this.run = testRun({ runtime: this.runtime, engine: this.engine })
  }

  fails(call: Call): boolean {
    const how = this.failing.get(call)
    if (how === 'once') this.failing.delete(call)
    return how !== undefined
  }

  state(): StackState {
    return stateOf(this.isThere ? [container('app', { condition: this.running ? 'running' : 'exited' })] : [])
  }

  plan(): RecoveryPlan {
    const held = [this.origin, this.volume]
    const relocations = this.origin === this.directory ? [] : [{ from: this.origin, to: this.directory }]
    return {
      name: 'web', key: 'web-1', snapshot: snapshotOf('abcdef', { paths: held }), directory: this.directory, origin: this.origin, relocations, capsule: capsuleOf(this), held, volumePaths: [this.volume], excludes: ['media'], writtenFiles: [],
      shares: sharesOf(held, '.stackbk-recover-web-1', relocations), mountPoints: [], part: null, state: this.state(), preflight: { model: ok(undefined), missingImages: [], whyNotDown: this.whyNotDown, wouldLose: [] }, present: ['the folder'], changes: null, problems: [], isBlocked: false,
    }
  }

  recover(more: Partial<RecoveryPlan> = {}): Promise<RecoveredStack> {
    const context = { run: this.run, runtime: this.runtime, engine: this.engine, repository: null, services: [], noStart: false, overwrite: false, allowHostVolumes: false, createExternal: false }
    return recoverStack(beginRecovery({ ...this.plan(), ...more }, context), context)
  }

  content(): readonly string[] {
    return ['stacks/web/data/v', 'stacks/web/media/film', 'volumes/vol/_data/row'].map((path) => (existsSync(at(path)) ? readFileSync(at(path), 'utf8') : 'gone'))
  }

  leftovers(): readonly string[] {
    return [...(existsSync(this.run.state.recoveries) ? readdirSync(this.run.state.recoveries) : []), ...this.run.journal.entries().map(({ key }) => `journal ${key}`), ...readdirSync(at('stacks')).filter((name) => name.startsWith('.'))]
  }
}

function capsuleOf({ origin: directory, volume }: Pick<Host, 'origin' | 'volume'>): Capsule {
  const recorded = { name: 'vol', key: 'vol', driver: 'local', options: {}, labels: {}, isExternal: false, isAnonymous: false, path: volume, service: '', containerNumber: 0, target: '/v' }
  return {
    schemaVersion: 1, stack: 'web', directory, host: 'host', createdAt: '2026-01-01T00:00:00.000Z', condition: 'running', ended: [], engine: { name: 'docker', version: '26', userNamespace: '' }, tools: {}, notes: [],
    projects: [{ name: 'web', workingDirectory: directory, configFiles: [], environmentFiles: [], profiles: [], model: null, images: [], volumes: [recorded], networks: [], replicas: { app: 1 }, pausedServices: [], stoppedServices: [] }],
  }
}

const old = ['broken', 'kept', 'broken']
const recovered = ['good', 'kept', 'good']

/** Whether this file system knows the immutable flag, and this user may set it. */
function knowsImmutable(): boolean {
  const path = write('probe', 'x')
  try {
    execFileSync('chattr', ['+i', path], { stdio: 'ignore' })
    execFileSync('chattr', ['-i', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const unlocked: string[] = []
afterEach(() => {
  for (const path of unlocked.splice(0)) execFileSync('chattr', ['-R', '-i', path], { stdio: 'ignore' })
})

describe('a recovery of which a call fails', () => {
  it('is done when none does, with what EXCLUDE keeps in its place', async () => {
    const host = new Host()
    const { status, changes, problems } = await host.recover()
    expect([status, problems]).toEqual(['ok', []])
    expect(host.content()).toEqual(recovered)
    expect(changes?.kept).toEqual([{ path: at('stacks/web/media'), reason: 'excluded' }])
    expect([host.running, host.leftovers()]).toEqual([true, []])
  })

  it.each([
    ['restore', 'once'], ['describe', 'always'], ['stop', 'once'], ['stop', 'always'], ['stillRunning', 'always'], ['look', 'once'], ['make', 'always'], ['fill', 'always'], ['start', 'always'], ['wait', 'always'], ['removeVolumes', 'always'],
  ] as const)('gives back what was there, running, when %s fails %s', async (call, how) => {
    const host = new Host(call === 'describe' ? ['it has an anonymous volume'] : [])
    host.failing.set(call, how)
    const { status } = await host.recover()
    if (call === 'removeVolumes') return expect([status, host.content()]).toEqual(['ok', recovered])
    expect(status).toBe('failed')
    expect(host.content()).toEqual(old)
    expect([host.running, host.isThere]).toEqual([true, true])
    expect(host.leftovers()).toEqual([])
    // It can be done again.
    host.failing.clear()
    expect((await host.recover()).status).toBe('ok')
    return expect(host.content()).toEqual(recovered)
  })

  it('gives back what was there when a rename fails, and names what cannot be moved', async ({ skip }) => {
    if (!knowsImmutable()) return skip()
    const host = new Host()
    host.failing.set('rename', 'always')
    unlocked.push(host.directory)
    const { status, problems } = await host.recover()
    expect(status).toBe('failed')
    expect(problems[0]?.message).toContain('/data')
    expect([host.content(), host.running, host.leftovers()]).toEqual([old, true, []])
  })

  it('gives back what was there where the file system takes no rename between the folders, and says what does', async ({ skip }) => {
    if (!existsSync('/dev/shm') || statSync('/dev/shm').dev === statSync(at('')).dev) return skip()
    const host = new Host()
    const folder = mkdtempSync('/dev/shm/stackbk-test-')
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const { status, problems } = await host.recover({ shares: host.plan().shares.map((share) => ({ ...share, folder: { ...share.folder, path: join(folder, 'own'), mountPoint: mountPointOf(folder) } })) })
    expect([status, problems[0]?.fix]).toEqual(['failed', expect.stringContaining('recover with --overwrite')])
    expect([host.content(), host.running, host.leftovers()]).toEqual([old, true, []])
  })

  it('stays up when what it has replaced cannot be removed, and names the command that does it', async ({ skip }) => {
    if (!knowsImmutable()) return skip()
    const host = new Host()
    write('stacks/web/data/locked/file', 'old')
    execFileSync('chattr', ['+i', at('stacks/web/data/locked/file')])
    unlocked.push(at('stacks'))
    const { status, problems } = await host.recover()
    expect(status).toBe('ok')
    expect([host.content(), host.running]).toEqual([recovered, true])
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(problems.map(({ fix }) => fix).join()).toContain('rm -rf')
    expect(readdirSync(host.run.state.recoveries)).toEqual([])
  })

  it('keeps what came since the snapshot, and says where', async () => {
    const host = new Host()
    write('stacks/web/data/since/file', 'since')
    write('volumes/vol/_data/since', 'since')
    const { changes, problems } = await host.recover()
    expect(changes).toMatchObject({ removedCount: 2 })
    expect(problems.map(({ code }) => code)).toEqual(expect.arrayContaining(['kept-aside']))
    const kept = changes?.keptAside.flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name).slice(folder.length)))
    expect(kept?.sort()).toEqual([at('stacks/web/data/since/file'), at('volumes/vol/_data/since')].sort())
  })
})

describe('a recovery into another folder', () => {
  const origin = '/old/layout/web'

  it('exchanges what is in the new folder, and touches nothing at the old path', async () => {
    const host = new Host([], origin)
    write('stacks/web/data/since', 'since')
    const { status, directory, movedFrom, changes, problems } = await host.recover()
    expect([status, directory, movedFrom]).toEqual(['ok', host.directory, origin])
    expect([host.content(), host.running, existsSync(origin)]).toEqual([recovered, true, false])
    expect(changes).toMatchObject({ replaced: [host.directory, host.volume], kept: [{ path: at('stacks/web/media'), reason: 'excluded' }], removed: [at('stacks/web/data/since')] })
    expect(problems.map(({ code }) => code)).toEqual(['kept-aside'])
    expect(readFileSync(`${changes?.keptAside[0] ?? ''}${at('stacks/web/data/since')}`, 'utf8')).toBe('since')
  })

  it.each([
    ['restore', 'once'], ['describe', 'always'], ['stop', 'once'], ['look', 'once'], ['make', 'always'], ['fill', 'always'], ['start', 'always'], ['wait', 'always'],
  ] as const)('gives back what was in the new folder, running and without a file of ours, when %s fails %s', async (call, how) => {
    const host = new Host(call === 'describe' ? ['it has an anonymous volume'] : [], origin)
    host.failing.set(call, how)
    expect((await host.recover()).status).toBe('failed')
    expect([host.content(), host.running, host.leftovers()]).toEqual([old, true, []])
    expect(readdirSync(host.directory).sort()).toEqual(['data', 'media'])
    host.failing.clear()
    expect((await host.recover()).status).toBe('ok')
    expect(host.content()).toEqual(recovered)
    expect(readdirSync(host.directory).sort()).toEqual(['compose.override.yaml', 'data', 'media'])
  })

  it('gives back a file of the user that has the name of ours', async () => {
    const host = new Host([], origin)
    write('stacks/web/compose.override.yaml', 'the user\'s')
    host.failing.set('wait', 'always')
    expect((await host.recover()).status).toBe('failed')
    expect(readFileSync(join(host.directory, 'compose.override.yaml'), 'utf8')).toBe('the user\'s')
    expect([host.content(), host.leftovers()]).toEqual([old, []])
  })
})

describe('resume --discard', () => {
  const phases: readonly RecoveryPhase[] = ['extracting', 'stopping', 'placing', 'overwriting', 'rebuilding', 'confirmed', 'undoing', 'undone']

  it.each(phases.flatMap((phase) => [[phase, true], [phase, false]] as const))('leads out of the phase %s when nothing can be stopped (something was there before: %s), and removes nothing of the user\'s', async (phase, hadPresent) => {
    const host = new Host()
    host.failing.set('stop', 'always')
    const [{ folder }] = sharesOf([host.directory], '.stackbk-recover-web-1') as [ReturnType<typeof sharesOf>[number]]
    write('stacks/.stackbk-recover-web-1/before/0', 'the only copy')
    const record: RecoveryRecord = {
      schemaVersion: 1, runId: 'run', key: 'web-1', name: 'web', directory: host.directory, writtenAt: '2026-01-01T00:00:00.000Z', phase, scope: 'stack', snapshotId: 'abcdef', repository: null, capsule: capsuleOf(host), hadPresent, before: null,
      folders: [folder], overwritten: phase === 'overwriting' ? [host.directory] : [], moves: [], volumeMoves: [], newVolumes: [], oldContainers: [], oldVolumes: [], returned: [], services: [], noStart: false, allowHostVolumes: false, healthTimeoutMs: 1,
    }
    new RecoveryRecords(host.run.state.recoveries).write(record)
    const { stacks, held }: { stacks: readonly { action: unknown; status: string }[]; held: readonly string[] } = await replayRecoveries(host.run, host.runtime, 'web')
    expect([stacks.map(({ status }) => status), held]).toEqual([['ok'], []])
    expect(new RecoveryRecords(host.run.state.recoveries).isEmpty()).toBe(true)
    const isOver = ['extracting', 'stopping', 'confirmed'].includes(phase)
    if (!isOver) expect(readFileSync(at('stacks/.stackbk-recover-web-1/before/0'), 'utf8')).toBe('the only copy')
    expect(host.content()).toEqual(old)
  })
})

