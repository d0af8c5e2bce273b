import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { exitCodeOf } from '../../../src/errors.js'
import { RunLock, type LockedThing } from '../../../src/host/run-lock.js'
import { compileSource } from '../compiled-source.js'
import { kill, nodeProcess } from '../processes.js'

describe('the lock of a run', () => {
  let program = ''
  const thing = (kind = 'stacks'): LockedThing => ({ kind, id: `/srv/${randomUUID()}` })
  const errorOf = (attempt: Promise<void>): Promise<unknown> => attempt.then(() => null, (error: unknown) => error)

  beforeAll(() => {
    program = compileSource(mkdtempSync(join(tmpdir(), 'stackbk-run-lock-')), ['errors.ts', 'host/run-lock.ts', 'host/abstract-lock.ts'])
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
    expect(error).toMatchObject({ kind: 'busy', detail: expect.stringMatching(new RegExp(`^stackbk backup, PID ${String(child.pid)}, for \\d+ s; both would change the stacks in ${stacks.id}$`)) })
    expect(error).toMatchObject({ fix: expect.stringContaining(`kill ${String(child.pid)}`) })
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
