import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { exitCodeOf } from '../../../src/errors.js'
import { RunLock, type LockedThing } from '../../../src/host/run-lock.js'
import { hasBound } from '../../../src/host/socket-owner.js'
import { compileSource } from '../compiled-source.js'
import { kill, nodeProcess } from '../processes.js'

describe('the lock of a run', () => {
  let program = ''
  const thing = (kind = 'stacks'): LockedThing => ({ kind, id: `/srv/${randomUUID()}` })
  const errorOf = (attempt: Promise<void>): Promise<unknown> => attempt.then(() => null, (error: unknown) => error)

  beforeAll(() => {
    program = compileSource(mkdtempSync(join(tmpdir(), 'stackbk-run-lock-')), ['errors.ts', 'host/run-lock.ts', 'host/abstract-lock.ts', 'host/lock-socket.ts', 'host/make-folder.ts', 'host/root-lock.ts', 'host/socket-owner.ts', 'host/timer.ts'])
  })
  afterAll(() => {
    rmSync(program, { recursive: true, force: true })
  })

  /** Another process that holds these. */
  const holder = (things: readonly LockedThing[]) =>
    nodeProcess(
      program,
      `
      import { RunLock } from './host/run-lock.js'
      await new RunLock('stackbk backup', false).take(${JSON.stringify(things)})
      console.log('taken')
      process.stdin.resume()`,
    )

  it('is refused to a second run, which is told who holds it, for how long, and what for', async () => {
    const stacks = thing()
    const { child } = await holder([stacks])
    const lock = new RunLock('stackbk sync', false)
    const error = await errorOf(lock.take([stacks]))
    expect(exitCodeOf(error)).toBe(75)
    expect(error).toMatchObject({ kind: 'busy', detail: expect.stringMatching(new RegExp(`^stackbk backup, PID ${String(child.pid)}, for \\d+ s; both use the stacks in ${stacks.id}$`)) })
    expect(error).toMatchObject({ fix: expect.stringContaining(`kill ${String(child.pid)}`) })
  })

  it.each([['journal', 'state folder'], ['engine', 'container engine']] as const)('names the %s that both use in words', async (kind, words) => {
    const shared = { ...thing(), kind }
    await holder([shared])
    expect(await errorOf(new RunLock('stackbk sync', false).take([shared]))).toMatchObject({ detail: expect.stringMatching(`; both use the ${words} ${shared.id}$`) as string })
  })

  it('waits for another run as long as it may, and says for which', async () => {
    const stacks = thing()
    const one = new RunLock('one', false)
    await one.take([stacks])
    const said: string[] = []
    let isWaiting = (): void => {}
    const waiting = new Promise<void>((resolve) => (isWaiting = resolve))
    const two = new RunLock('two', false, { waitMs: 60_000, onWait: (message) => (said.push(message), isWaiting()) })
    const taken = two.take([stacks])
    await waiting
    await one.release()
    await taken
    expect(said).toEqual([expect.stringMatching(/^waiting for another stackbk run \(one, PID \d+, for \d s\), at most 60 s$/)])
    const three = new RunLock('three', false, { waitMs: 50 })
    expect(await errorOf(three.take([stacks]))).toMatchObject({ kind: 'busy', fix: expect.stringContaining('--wait') })
    const controller = new AbortController()
    const four = new RunLock('four', false, { waitMs: 60_000, signal: controller.signal, onWait: () => controller.abort() })
    expect(await errorOf(four.take([stacks]))).toMatchObject({ kind: 'interrupted' })
    await two.release()
  })

  describe.skipIf(process.getuid?.() !== 0)('whose name another user has taken', () => {
    /** A process of the user nobody that listens under the name of this lock and says what it likes. */
    async function squat(stacks: LockedThing, words: string): Promise<void> {
      const one = new RunLock('one', false)
      await one.take([stacks])
      const names = readFileSync('/proc/net/unix', 'utf8').split('\n').map((line) => (line.trim().split(/\s+/)[7] ?? '').replaceAll(/^@|@+$/g, ''))
      const name = names.find((candidate) => candidate.startsWith('stackbk/stacks/') && hasBound(process.pid, candidate))
      await one.release()
      const child = spawn(process.execPath, ['--eval', `const server = require('net').createServer((s) => { s.on('error', () => {}); s.write(${words}) }); server.listen('\\0${String(name)}', () => console.log('taken'))`], { uid: 65534, gid: 65534, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
      squatters.push(child)
      await once(child.stdout, 'data')
    }
    const squatters: ChildProcess[] = []
    let folder = ''
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'stackbk-root-lock-'))
    })
    afterAll(() => {
      for (const child of squatters) child.kill()
      rmSync(folder, { recursive: true, force: true })
    })

    it('is refused in few printable words, and without the advice to end a process that does not hold it', async () => {
      const stacks = thing()
      await squat(stacks, `JSON.stringify({ pid: 1, command: '\\u001b[2J\\u202e' + 'x'.repeat(300), startedAt: '2026-01-01T00:00:00Z' }) + '\\n'`)
      const error = await errorOf(new RunLock('two', false, { rootFolder: folder }).take([stacks])) as { detail: string; fix: string }
      expect(error.detail).toMatch(/^\ufffd\[2J\ufffdx{75}\.\.\., PID 1, for \d+ h; both/)
      expect(error.fix).toBe('Wait until it has ended')
    })

    it('is not believed to be of a command, since a backup that another user claims to make would excuse that there is none', async () => {
      const stacks = thing()
      await squat(stacks, `JSON.stringify({ pid: 1, command: 'stackbk backup', startedAt: '2026-01-01T00:00:00Z' }) + '\\n'`)
      expect(await errorOf(new RunLock('two', false, { rootFolder: folder }).take([stacks]))).toMatchObject({ kind: 'busy', holder: null })
      const own = thing()
      const first = new RunLock('stackbk backup', false, { rootFolder: folder })
      await first.take([own])
      expect(await errorOf(new RunLock('two', false, { rootFolder: folder }).take([own]))).toMatchObject({ kind: 'busy', holder: 'stackbk backup' })
      await first.release()
    })

    it('is not read without end', async () => {
      const stacks = thing()
      await squat(stacks, `'x'.repeat(5_000_000)`)
      expect(await errorOf(new RunLock('two', false, { rootFolder: folder }).take([stacks]))).toMatchObject({ kind: 'busy', detail: expect.stringMatching(/^it does not say which; both/) })
    })

    it('is passed by a run that may overrule other users, while runs of root exclude each other', async () => {
      const stacks = thing()
      await squat(stacks, `'\\n'`)
      const said: string[] = []
      const overruling = { rootFolder: folder, onOverruled: (message: string) => said.push(message) }
      const one = new RunLock('stackbk resume', false, overruling)
      await one.take([stacks])
      expect(said).toEqual([expect.stringContaining('is held by a process of the user 65534')])
      expect(await errorOf(new RunLock('two', false, overruling).take([stacks]))).toMatchObject({ kind: 'busy', detail: expect.stringContaining('stackbk resume, PID') })
      await one.release()
      await one.take([stacks])
      await one.release()
    })

    it('is not passed if a process of root holds it', async () => {
      const stacks = thing()
      const { child } = await holder([stacks])
      const said: string[] = []
      expect(await errorOf(new RunLock('stackbk resume', false, { rootFolder: folder, onOverruled: (message) => said.push(message) }).take([stacks]))).toMatchObject({ kind: 'busy' })
      expect(said).toEqual([])
      await kill(child)
    })
  })

  it('is free again the moment its holder is killed', async () => {
    const things = [thing(), thing('repository')]
    const { child } = await holder(things)
    await kill(child)
    const lock = new RunLock('stackbk backup', false)
    await lock.take(things)
    await lock.release()
  })

  it('excludes runs that share any one thing, and no others', async () => {
    const [shared, mine, theirs] = [thing('repository'), thing(), thing()]
    const [one, two, three] = [new RunLock('one', false), new RunLock('two', false), new RunLock('three', false)]
    await one.take([shared, mine])
    expect(await errorOf(two.take([theirs, shared]))).toMatchObject({ kind: 'busy' })
    await two.release()
    await three.take([theirs])
    await Promise.all([one.release(), three.release()])
    await two.take([shared, mine, theirs])
    await two.release()
  })

  it('tells things of two kinds apart that have one name', async () => {
    const { id } = thing()
    const [one, two] = [new RunLock('one', false), new RunLock('two', false)]
    await one.take([{ kind: 'stacks', id }])
    await two.take([{ kind: 'repository', id }])
    await Promise.all([one.release(), two.release()])
  })

  it('may be taken again and added to by the run that has it', async () => {
    const [stacks, repository] = [thing(), thing('repository')]
    const lock = new RunLock('one', false)
    await lock.take([stacks])
    await lock.take([repository, stacks])
    const other = new RunLock('two', false)
    expect(await errorOf(other.take([stacks]))).toMatchObject({ kind: 'busy' })
    expect(await errorOf(other.take([repository]))).toMatchObject({ kind: 'busy' })
    await lock.release()
    await other.take([repository, stacks])
    await other.release()
  })

  it('is had by one of two that ask for the same things in opposite order, at any time', async () => {
    for (let round = 0; round < 20; round++) {
      const things = [thing('a'), thing('b'), thing('c')]
      const locks = [new RunLock('one', false), new RunLock('two', false)]
      const outcomes = await Promise.all([errorOf(locks[0]?.take(things) ?? Promise.resolve()), errorOf(locks[1]?.take(things.toReversed()) ?? Promise.resolve())])
      expect(outcomes.filter((error) => error === null)).toHaveLength(1)
      await Promise.all(locks.map((lock) => lock.release()))
    }
  })

  it('is only looked at by a rehearsal, which is refused all the same and keeps nobody out', async () => {
    const stacks = thing()
    const [rehearsal, real] = [new RunLock('stackbk backup', true), new RunLock('stackbk backup', false)]
    await rehearsal.take([stacks])
    await real.take([stacks])
    expect(await errorOf(rehearsal.take([stacks]))).toMatchObject({ kind: 'busy' })
    await real.release()
    await rehearsal.take([stacks])
  })

  it('takes paths of any length', async () => {
    const lock = new RunLock('one', false)
    const long = { kind: 'stacks', id: `/${'long/'.repeat(1000)}${randomUUID()}` }
    await lock.take([long])
    expect(await errorOf(new RunLock('two', false).take([long]))).toMatchObject({ kind: 'busy' })
    await lock.release()
  })
})
