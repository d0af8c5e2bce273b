import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, describe, expect, test, vi } from 'vitest'

import { isOfGoneProcess } from '../src/locks.js'
import { benchWithRepository, requestOf, value } from './bench.js'
import { locksOf, stoppedRestic } from './stopped-restic.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('removing stale locks', () => {
  test('removes the lock of a restic that was killed, so that the next night does not fail', async () => {
    const made = await benchWithRepository()
    const holder = await stoppedRestic(made)
    const ended = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await ended
    expect(locksOf(made)).toHaveLength(1)
    // A machine of the same name, which uses the repository too, has processes that are not here.
    for (const options of [{}, { processes: new Set([1]) }, { leastAgeMs: 60_000 }]) expect(value(await made.engine.removeStaleLocks(options))).toMatchObject({ removed: 0, held: [expect.stringContaining(`process ${holder.pid}`) as string] })
    expect(value(await made.engine.removeStaleLocks({ processes: new Set([holder.pid!]) }))).toEqual({ removed: 1, held: [] })
    expect(locksOf(made)).toEqual([])
    const prepared = made.engine.prepare(requestOf(made))
    value(await prepared.ready)
    await prepared.abandon()
  })

  test('removes the lock of a restic that was killed before its run could write down which process it is', async () => {
    const made = await benchWithRepository()
    const startedAt = Date.now()
    const holder = await stoppedRestic(made)
    const starting = { interruptedStarts: [startedAt] }
    expect(value(await made.engine.removeStaleLocks(starting))).toMatchObject({ removed: 0 })
    const ended = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await ended
    // One that was made before, or long afterwards, is another machine's.
    for (const at of [Date.now() + 1, startedAt - 61_000]) expect(value(await made.engine.removeStaleLocks({ interruptedStarts: [at] }))).toMatchObject({ removed: 0 })
    expect(value(await made.engine.removeStaleLocks(starting))).toEqual({ removed: 1, held: [] })
    expect(locksOf(made)).toEqual([])
  })

  test('leaves the lock of one that lives, and says who it is', async () => {
    const made = await benchWithRepository()
    const holder = await stoppedRestic(made)
    const report = value(await made.engine.removeStaleLocks())
    expect(report.removed).toBe(0)
    expect(report.held).toHaveLength(1)
    expect(report.held[0]).toContain(`process ${holder.pid} of `)
    expect(report.held[0]).toContain(`${hostname()} (this host), exclusively`)
    expect(locksOf(made)).toHaveLength(1)
    expect((await made.engine.examine()).at(-1)).toMatchObject({ id: 'restic.locks', status: 'warning', found: report.held[0] })
  })

  test('removes a lock that was written in half, once nobody can be writing it any more', async () => {
    const made = await benchWithRepository()
    const half = (letter: string): string => join(made.repository, 'locks', `${letter.repeat(64)}-tmp-123456789`)
    for (const letter of ['a', 'b']) writeFileSync(half(letter), 'half')
    const halfAnHourAgo = Date.now() / 1000 - 31 * 60
    utimesSync(half('a'), halfAnHourAgo, halfAnHourAgo)
    expect(value(await made.engine.removeStaleLocks())).toEqual({ removed: 0, held: [] })
    expect([half('a'), half('b')].map((path) => existsSync(path))).toEqual([false, true])
  })

  test('leaves the lock of a prepared snapshot', async () => {
    const made = await benchWithRepository()
    const prepared = made.engine.prepare(requestOf(made))
    value(await prepared.ready)
    expect(value(await made.engine.removeStaleLocks()).removed).toBe(0)
    expect(locksOf(made)).toHaveLength(1)
    await prepared.abandon()
  })
})

describe('a lock is stale', () => {
  const now = (): string => new Date().toISOString()

  test('never when another host made it', () => {
    expect(isOfGoneProcess({ host: 'elsewhere', pid: 2 ** 22 + 1, time: '2020-01-01T00:00:00.000Z' })).toBe(false)
  })

  test('when this host has no such process', () => {
    expect(isOfGoneProcess({ host: hostname(), pid: 2 ** 22 + 1, time: now() })).toBe(true)
  })

  test('not where its process may be in another PID namespace, unless the lock was not renewed for long', () => {
    expect(isOfGoneProcess({ host: hostname(), pid: 2 ** 22 + 1, time: now() }, false)).toBe(false)
    expect(isOfGoneProcess({ host: hostname(), pid: 2 ** 22 + 1, time: '2020-01-01T00:00:00.000Z' }, false)).toBe(true)
  })

  test.skipIf(process.getuid?.() !== 0)('not while a restic in a PID namespace of its own has that PID', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stackbk-pid-'))
    const program = join(folder, 'restic')
    copyFileSync('/bin/sleep', program)
    const child = spawn('unshare', ['--pid', '--fork', program, '60'], { stdio: 'ignore' })
    try {
      // Its PID is 1 in there, and this machine's own first process is no restic.
      await vi.waitUntil(() => !isOfGoneProcess({ host: hostname(), pid: 1, time: '2020-01-01T00:00:00.000Z' }), { timeout: 20_000 })
    } finally {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      // As the first process of its namespace it would pass over any other signal.
      execFileSync('pkill', ['-KILL', '-P', String(child.pid)])
      await gone
      rmSync(folder, { recursive: true, force: true })
    }
    expect(isOfGoneProcess({ host: hostname(), pid: 2 ** 22 + 1, time: '2020-01-01T00:00:00.000Z' })).toBe(true)
  })

  test('when its PID belongs by now to something that is younger and no restic, as after a reboot', () => {
    expect(isOfGoneProcess({ host: hostname(), pid: process.pid, time: '2020-01-01T00:00:00.000Z' })).toBe(true)
    expect(isOfGoneProcess({ host: hostname(), pid: process.pid, time: now() })).toBe(false)
  })
})
