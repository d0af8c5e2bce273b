import { randomBytes } from 'node:crypto'
import { readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { quickHealthcheck } from '../fixtures/compose-stack.js'
import { testImage } from '../fixtures/busybox-image.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, says, until, type LogLine, type Underway, type World, type WorldStack } from '../fixtures/world.js'

/** Takes its time to stop and to become healthy, so that both can be met in the middle. */
const slow = {
  image: testImage,
  command: ['sh', '-c', "trap 'sleep 0.5; exit 0' TERM; sleep 0.4; touch /tmp/ready; sleep 1000000 & wait"],
  healthcheck: quickHealthcheck(),
  network_mode: 'none',
  volumes: ['./data:/data'],
}
const two = { db: slow, app: { ...slow, depends_on: { db: { condition: 'service_healthy' } } } }

let world: World
let web: WorldStack
let other: WorldStack

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  web = await world.stack('web', { services: two })
  other = await world.stack('other', { services: { app: { ...slow, healthcheck: { disable: true } } } })
  expect([await web.running(), await other.running()]).toEqual([['app', 'db'], ['app']])
})
afterAll(() => world.remove())

const locks = (): string[] => readdirSync(join(world.repository, 'locks'))
const begun = (log: readonly LogLine[], message: string): boolean => says(message, 'web')(log)

interface Step {
  readonly name: string
  /** True at the step, and not before. */
  readonly isThere: (log: readonly LogLine[]) => boolean
  /** True when it was over already: the kill came too late to say anything. */
  readonly isOver: (log: readonly LogLine[]) => boolean
}

/** restic has its lock before it waits at the gate. */
const steps: readonly Step[] = [
  { name: 'while restic waits before the stop', isThere: () => locks().length > 0, isOver: (log) => begun(log, 'stopping') },
  { name: 'in the stop', isThere: (log) => begun(log, 'stopping'), isOver: (log) => begun(log, 'stopped') },
  { name: 'in the snapshot', isThere: (log) => begun(log, 'snapshot begun'), isOver: (log) => begun(log, 'snapshot ended') },
  { name: 'in the start', isThere: (log) => begun(log, 'starting'), isOver: (log) => begun(log, 'confirmed up') },
]

/** Tries until a backup was met at this step and nowhere else. */
async function meet(step: Step, signal: NodeJS.Signals, ...options: string[]): Promise<{ underway: Underway; runId: string }> {
  for (let attempt = 1; attempt <= 5; attempt++) {
    web.write('data/blob', randomBytes(30_000_000))
    const earlier = new Set(world.log().map((line) => line.runId))
    const underway = await world.startUntil(['backup', ...options], (log) => step.isThere(log))
    underway.signal(signal)
    const log = world.log().filter((line) => !earlier.has(line.runId))
    if (!step.isOver(log)) return { underway, runId: log[0]?.runId ?? '' }
    await underway.ended
    expect((await world.resume()).exitCode).toBe(0)
  }
  throw new Error(`no backup was met ${step.name}`)
}

async function expectAllWell(): Promise<void> {
  expect(await web.running()).toEqual(['app', 'db'])
  expect(await other.running()).toEqual(['app'])
  expect(await web.compose('ps', '--format', '{{.Service}} {{.Health}}', '--orphans=false')).toMatch(/db healthy/)
  expect(world.journal()).toEqual([])
  expect(world.processes()).toEqual([])
  expect(locks()).toEqual([])
  // A restic that is ended in the instant between making a temporary file and removing its name leaves that: its own affair.
  expect(readdirSync(world.temporary).filter((name) => !name.startsWith('restic-temp-pack-'))).toEqual([])
  await world.check()
}

describe.each(steps)('SIGKILL $name', (step) => {
  it('defect 8: resume brings everything back, nothing of ours lives on, the repository is sound', async () => {
    const containersBefore = await web.containers()
    const { underway } = await meet(step, 'SIGKILL')
    expect((await underway.ended).exitCode).toBe(137)
    const waiting = world.journal().map((entry) => entry.name)
    expect(waiting).toEqual(step === steps[0] ? [] : ['web'])

    const { exitCode, result } = await world.resume()
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(result.stacks).toEqual(waiting.map((name) => ({ name, servicesBefore: ['app', 'db'], action: expect.stringMatching(/started|already-running/) as string, status: 'ok' })))
    if (step === steps[0]) {
      expect(await web.containers()).toBe(containersBefore)
      await until('restic has given up by itself', () => world.processes().length === 0)
    }
    await expectAllWell()
  })
})

it('the next backup succeeds after all this, and finds the stack running', async () => {
  const call = await world.backup()
  expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
  expect(call.stack('web')).toMatchObject({ status: 'ok', stateBefore: 'running', servicesBefore: ['app', 'db'], quiet: true })
})

it('a backup after a kill resumes by itself, and takes the stack for running and not for stopped', async () => {
  await (await meet(steps[1]!, 'SIGKILL')).underway.ended
  const call = await world.backup()
  expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
  expect(call.stack('web')).toMatchObject({ status: 'ok', stateBefore: 'running', servicesBefore: ['app', 'db'], quiet: true })
  await expectAllWell()
})

describe.each([
  ['SIGINT', 130, steps[2]!],
  ['SIGTERM', 143, steps[1]!],
  ['SIGHUP', 129, steps[3]!],
  ['SIGTERM', 143, steps[0]!],
] as const)('%s, exit %i', (signal, exitCode, step) => {
  it(`${step.name}: every stack is started again before it ends, without resume`, async () => {
    const { underway, runId } = await meet(step, signal)
    const ended = await underway.ended
    expect(ended.exitCode, ended.stderr).toBe(exitCode)
    await expectAllWell()
    const { result } = await world.json<{ runs: { runId: string; status: string; exitCode: number }[] }>(['history'])
    expect(result.runs.find((run) => run.runId === runId)).toMatchObject({ status: 'interrupted', exitCode })
  })
})

it('defects 6 and 7: a second signal changes nothing, and with --json the result says interrupted', async () => {
  web.write('data/blob', randomBytes(30_000_000))
  const underway = await world.startUntil(['backup', '--json'], says('stopping', 'web'))
  underway.signal('SIGTERM')
  await until('the first is taken', () => underway.said().includes('TERM received'))
  underway.signal('SIGINT')
  const { exitCode, stdout } = await underway.ended
  expect(exitCode).toBe(143)
  expect(JSON.parse(stdout)).toMatchObject({ command: 'backup', status: 'interrupted', stacks: [{ name: 'web', snapshot: null }, { name: 'other', status: 'skipped' }] })
  await expectAllWell()
})

it('a snapshot that was whole when the signal came is no snapshot of a running stack, and its downtime is known', async () => {
  // As much as ever: a stack that has shrunk is another matter.
  web.write('data/blob', randomBytes(30_000_000))
  const underway = await world.startUntil(['backup', '--json'], says('starting', 'web'))
  underway.signal('SIGTERM')
  const { exitCode, stdout } = await underway.ended
  expect(exitCode).toBe(143)
  const result = JSON.parse(stdout) as BackupResult
  expect(result.stacks[0]).toMatchObject({ name: 'web', status: 'ok', quiet: true, snapshot: { id: expect.any(String) as string }, downtimeMs: expect.any(Number) as number, readyMs: expect.any(Number) as number, problems: [] })
  expect((await world.snapshots()).find(({ id }) => id === result.stacks[0]?.snapshot?.id)?.tags).toEqual(['stackbk', 'stack:web'])
  await expectAllWell()
})

it('what somebody has changed since waits for --force or --discard', async () => {
  await (await meet(steps[2]!, 'SIGKILL')).underway.ended
  // The kill may come before the removal of what is stopped, and what is still there is started as it is.
  await web.compose('rm', '--force')
  web.write('compose.yaml', { name: web.project, services: { ...two, db: { ...slow, environment: { NEW: '1' } } } })
  const refused = await world.resume()
  expect(refused.exitCode).toBe(1)
  expect(refused.result).toMatchObject({ status: 'failed', stacks: [{ name: 'web', action: 'waiting', status: 'failed' }], problems: [{ code: 'changed-since' }] })
  expect(world.journal().map((entry) => entry.name)).toEqual(['web'])
  expect((await world.run(['resume', '--force', 'nosuch'])).exitCode).toBe(2)
  const forced = await world.resume('--force', 'web')
  expect([forced.exitCode, forced.result.stacks[0]]).toMatchObject([0, { action: 'started', status: 'ok' }])
  await expectAllWell()
})

it.each(sampled(['down', 'stop']))('after %s, a journal entry that was cut short is made up from the capsule and the containers', async (mode) => {
  await (await meet(steps[2]!, 'SIGKILL', '--stop-mode', mode)).underway.ended
  const [file = ''] = readdirSync(join(world.state, 'journal')).filter((name) => name.endsWith('.json'))
  truncateSync(join(world.state, 'journal', file), 300)
  const { exitCode, result } = await world.resume()
  expect(result).toMatchObject({ stacks: [{ name: 'web', servicesBefore: ['app', 'db'], action: 'started', status: 'ok' }], problems: [{ severity: 'warning', code: 'journal-damaged', stack: 'web' }] })
  expect(exitCode).toBe(0)
  expect(readdirSync(join(world.state, 'journal'))).toContain(`${file}.damaged`)
  await expectAllWell()
})
