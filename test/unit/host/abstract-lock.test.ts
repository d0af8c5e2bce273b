import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { acquireAbstractLock, type AbstractLock, waitForAbstractLock } from '../../../src/host/abstract-lock.js'
import { compileSource } from '../compiled-source.js'

describe('an abstract lock', () => {
  let folder = ''
  const newName = (): string => `stackbk-test-${randomUUID()}`

  beforeAll(() => {
    folder = compileSource(mkdtempSync(join(tmpdir(), 'stackbk-lock-')), ['host/abstract-lock.ts', 'host/lock-socket.ts'])
  })
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  /** A process that has the lock when this returns. */
  async function holder(name: string): Promise<ChildProcess> {
    const script = `
      import { acquireAbstractLock } from ${JSON.stringify(join(folder, 'host/abstract-lock.js'))}
      const lock = await acquireAbstractLock(${JSON.stringify(name)}, 'stackbk backup')
      console.log('heldBy' in lock ? 'refused' : 'taken')
      process.stdin.resume()`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    expect(String(said).trim()).toBe('taken')
    return child
  }

  async function taken(attempt: ReturnType<typeof acquireAbstractLock>): Promise<AbstractLock> {
    const lock = await attempt
    if ('heldBy' in lock) throw new Error('it is held')
    return lock
  }

  it('is had by one, and the other is told by whom', async () => {
    const name = newName()
    const child = await holder(name)
    const attempt = await acquireAbstractLock(name, 'stackbk sync')
    expect(attempt).toMatchObject({ heldBy: { pid: child.pid, command: 'stackbk backup' } })
    child.kill()
  })

  it('is had again once it is released', async () => {
    const name = newName()
    const first = await taken(acquireAbstractLock(name, 'a'))
    expect(await acquireAbstractLock(name, 'b')).toMatchObject({ heldBy: { command: 'a' } })
    await first.release()
    await first.release()
    await (await taken(acquireAbstractLock(name, 'b'))).release()
  })

  it('defect 2: stays with its holder when another was refused', async () => {
    const name = newName()
    const first = await taken(acquireAbstractLock(name, 'first'))
    await acquireAbstractLock(name, 'second')
    expect(await acquireAbstractLock(name, 'third')).toMatchObject({ heldBy: { command: 'first' } })
    await first.release()
  })

  it('goes with its process, also after SIGKILL', async () => {
    const name = newName()
    const child = await holder(name)
    const waiting = taken(waitForAbstractLock(name, 'next', 10_000))
    child.kill('SIGKILL')
    await (await waiting).release()
  })

  it('that is waited for comes with its release, and not after the limit', async () => {
    const name = newName()
    const first = await taken(acquireAbstractLock(name, 'first'))
    expect(await waitForAbstractLock(name, 'late', 50)).toMatchObject({ heldBy: { command: 'first' } })
    const waiting = taken(waitForAbstractLock(name, 'second', 10_000))
    await acquireAbstractLock(name, 'third')
    await first.release()
    await (await waiting).release()
  })

  it('whose holder is frozen is held all the same, by somebody who does not answer', async () => {
    const name = newName()
    const child = await holder(name)
    child.kill('SIGSTOP')
    expect(await acquireAbstractLock(name, 'other')).toEqual({ heldBy: null })
    child.kill('SIGKILL')
  })

  it('is had by one at a time, however many want it', async () => {
    const name = newName()
    let inside = 0
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        const lock = await taken(waitForAbstractLock(name, 'one of many', 10_000))
        inside++
        expect(inside).toBe(1)
        await new Promise((resolve) => setImmediate(resolve))
        inside--
        await lock.release()
      }),
    )
  })
})
