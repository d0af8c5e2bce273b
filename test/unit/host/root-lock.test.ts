import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { waitForRootLock } from '../../../src/host/root-lock.js'
import { compileSource } from '../compiled-source.js'
import { kill, nodeProcess } from '../processes.js'

describe.skipIf(process.getuid?.() !== 0)('the lock that only root can take', () => {
  let root = ''
  let program = ''
  let count = 0
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'stackbk-root-lock-'))
    program = compileSource(join(root, 'program'), ['host/root-lock.ts', 'host/lock-socket.ts', 'host/make-folder.ts', 'host/abstract-lock.ts'])
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  const newFolder = (): string => join(root, `lock-${++count}`)
  const take = (folder: string, limitMs = 0) => waitForRootLock({ name: 'a', command: 'stackbk backup', limitMs, folder })
  const isHeld = (attempt: Awaited<ReturnType<typeof take>>): boolean => attempt !== null && 'heldBy' in attempt
  const holder = (folder: string) =>
    nodeProcess(program, `
      import { waitForRootLock } from './host/root-lock.js'
      const lock = await waitForRootLock({ name: 'a', command: 'stackbk backup', limitMs: 0, folder: ${JSON.stringify(folder)} })
      console.log('heldBy' in lock ? 'refused' : 'taken')
      process.stdin.resume()`)
  /** Where the files of the lock are: in a folder of this network namespace. */
  const filesIn = (folder: string): string[] => readdirSync(folder).flatMap((namespace) => readdirSync(join(folder, namespace)).flatMap((lock) => readdirSync(join(folder, namespace, lock))))

  it('is had by one at a time, in a folder for root alone', async () => {
    const folder = newFolder()
    mkdirSync(folder, { mode: 0o755 })
    const first = await take(folder)
    expect(isHeld(first)).toBe(false)
    expect(await take(folder)).toMatchObject({ heldBy: { pid: process.pid, command: 'stackbk backup' } })
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    if (first !== null && 'release' in first) await first.release()
    const second = await take(folder)
    expect(isHeld(second)).toBe(false)
    expect(filesIn(folder)).toEqual(['2'])
  })

  it('is free again the moment its holder is killed, whatever it has left there', async () => {
    const folder = newFolder()
    const { child } = await holder(folder)
    expect(isHeld(await take(folder))).toBe(true)
    const waiting = take(folder, 20_000)
    await kill(child)
    expect(isHeld(await waiting)).toBe(false)
    expect(filesIn(folder)).toEqual(['2'])
  })

  it('is had by exactly one of many that find a dead one', async () => {
    const folder = newFolder()
    const { child } = await holder(folder)
    await kill(child)
    const [namespace = ''] = readdirSync(folder)
    const [lock = ''] = readdirSync(join(folder, namespace))
    writeFileSync(join(folder, namespace, lock, 'new-abc'), '')
    for (let round = 0; round < 5; round++) {
      const attempts = await Promise.all(Array.from({ length: 12 }, () => take(folder)))
      const held = attempts.filter((attempt) => !isHeld(attempt))
      expect(held).toHaveLength(1)
      for (const attempt of held) if (attempt !== null && 'release' in attempt) await attempt.release()
    }
  })

  it('cannot be where its folder is not one of root\'s', async () => {
    writeFileSync(join(root, 'file'), '')
    expect(await take(join(root, 'file'))).toBe(null)
    expect(await take('/proc/none/of/it')).toBe(null)
    expect(await take(join(root, 'x'.repeat(60)))).toBe(null)
  })
})
