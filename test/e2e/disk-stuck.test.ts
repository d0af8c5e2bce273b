import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { makeQuickRepository } from '../fixtures/quick-repository.js'
import { isThorough } from '../fixtures/sampled.js'
import { canMakeDisks, makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, says, twoServices, until, type Underway, type World, type WorldStack } from '../fixtures/world.js'

const maxDowntimeMs = 3_000
/** Beyond the budget, for the start itself and a loaded machine. Waiting for a process that nobody can end takes longer. */
const toleranceMs = 6_000
/** One SIGINT with its grace, one SIGKILL with its own, and some. */
const givenUpMs = 35_000

/** restic's own processes hang in the kernel, deaf to SIGKILL, from the freeze to the thaw. */
describe.skipIf(!canMakeDisks)('a repository whose disk hangs in mid-snapshot', () => {
  let world: World
  let web: WorldStack
  let other: WorldStack
  let disk: SmallDisk

  beforeAll(async () => {
    world = await makeWorld({ settings: { docker: { WARM_PASS: false }, local_backup: { KEEP_WITHIN: 0, KEEP_LAST: 2, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 } } })
    disk = await makeSmallDisk({ path: join(world.root, 'disk'), bytes: 2 ** 31, kind: 'ext4' })
    const repository = join(disk.path, 'repository')
    makeQuickRepository(repository, 'secret')
    world.configure({ local_backup: { RESTIC_REPOSITORY: repository } })
    web = await world.stack('web', { model: twoServices })
    other = await world.stack('other', { model: twoServices })
  })
  afterEach(async () => {
    await disk.thaw()
    world.configure({ 'stack:web': { MAX_DOWNTIME: null } })
  })
  afterAll(async () => {
    await disk.remove()
    await world.remove()
  })

  /** Comes back with the disk frozen and restic in the middle of its reading. */
  async function hang(): Promise<Underway> {
    web.write('data/blob', randomBytes(300_000_000))
    const underway = await world.startUntil(['backup', 'web', '--json'], says('snapshot begun', 'web'))
    await disk.freeze()
    await until('restic hangs', () => world.processes().some(({ pid }) => hangs(pid)))
    expect(says('snapshot ended', 'web')(world.log().filter((line) => line.runId === world.log().at(-1)?.runId))).toBe(false)
    return underway
  }

  it('does not delay MAX_DOWNTIME, nor the end of the run', async () => {
    world.configure({ 'stack:web': { MAX_DOWNTIME: maxDowntimeMs / 1000 } })
    const watch = await world.watch()
    const underway = await hang()
    await until('both services run again', async () => (await web.running()).length === 2, maxDowntimeMs + givenUpMs)
    const events = (await watch.close()).filter((event) => event.project === web.project)
    const [died, started] = [events.find((event) => event.action === 'die'), events.find((event) => event.action === 'start')]
    expect((started?.at ?? Infinity) - (died?.at ?? 0)).toBeLessThan(maxDowntimeMs + toleranceMs)
    await until('the run is over while the disk still hangs', () => underway.isOver(), givenUpMs)
    const { exitCode, stdout } = await underway.ended
    const result = JSON.parse(stdout) as BackupResult
    expect([exitCode, result.status]).toEqual([3, 'partial'])
    expect(result.stacks).toMatchObject([{ name: 'web', status: 'partial', snapshot: null, problems: [{ code: 'max-downtime', message: expect.stringContaining('3 s') as string }] }])
    expect(world.journal()).toEqual([])
  })

  it('with its disk back is as good as before: nothing of the old restic is in the way of the next backup, of its retention, or of a check', async () => {
    await until('the old restic has ended', () => world.processes().length === 0)
    const call = await world.backup()
    expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
    expect(call.result.retention.status).toBe('ok')
    expect([call.stack('web').status, call.stack('other').status]).toEqual(['ok', 'ok'])
    expect(readdirSync(join(disk.path, 'repository', 'locks'))).toEqual([])
    await world.check(join(disk.path, 'repository'))
  })

  it.runIf(isThorough)('does not keep a stack down after a signal either: it is started, and the run ends with the code of the signal', async () => {
    const underway = await hang()
    underway.signal('SIGTERM')
    await until('both services run again', async () => (await web.running()).length === 2, givenUpMs)
    await until('the run is over while the disk still hangs', () => underway.isOver(), givenUpMs)
    expect((await underway.ended).exitCode).toBe(143)
    expect(world.journal()).toEqual([])
    expect(await other.running()).toEqual(['app', 'db'])
  })

  it.runIf(isThorough)('does not keep resume from starting what a killed run left down', async () => {
    const underway = await hang()
    underway.signal('SIGKILL')
    await underway.ended
    expect(await web.running()).toEqual([])
    const resuming = world.start(['resume', '--json'])
    await until('both services run again', async () => (await web.running()).length === 2, givenUpMs)
    await until('they are confirmed', () => world.journal().length === 0)
    // The lock of the killed restic can be removed only when the disk answers again.
    await disk.thaw()
    const { exitCode, stdout } = await resuming.ended
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', stacks: [{ name: 'web', servicesBefore: ['app', 'db'], action: 'started', status: 'ok' }] })
    expect(exitCode).toBe(0)
    expect(readdirSync(join(disk.path, 'repository', 'locks'))).toEqual([])
  })
})

/** A thread of it waits in the kernel and takes no signal. */
function hangs(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => /^State:\s+D/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')))
  } catch {
    return false
  }
}
