import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createExec } from '@stackbk/tool-runner'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { changedSince, holdsAtLeast, renewChangeTimes, settleFiles, timesEveryWrite, type Moment } from '../../../src/host/file-times.js'

describe('what files tell by their times', () => {
  let folder = ''
  const at = (path: string): string => join(folder, path)
  const write = (path: string, text = 'x'): string => (writeFileSync(at(path), text), at(path))
  const now = (): Moment => ({ at: Date.now(), steadyAt: performance.now() })
  /** So far ahead that nothing which is there already falls within the margin. */
  const later = (): Moment => ({ at: Date.now() + 5_000, steadyAt: performance.now() + 5_000 })
  const names = async (moment: Moment): Promise<string[] | undefined> => (await changedSince([folder], moment))?.map(({ path }) => path.toString('latin1').slice(folder.length + 1)).sort()

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stackbk-times-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('names every regular file that has changed since, in every folder below, and no other', async () => {
    mkdirSync(at('a/b'), { recursive: true })
    write('a/b/deep')
    write('top')
    symlinkSync('top', at('link'))
    expect(await names(now())).toEqual(['a/b/deep', 'top'])
    expect(await names(later())).toEqual([])
  })

  it('goes by the change time, which no program sets back', async () => {
    write('old')
    utimesSync(at('old'), 0, 0)
    expect(await names(now())).toEqual(['old'])
  })

  it('knows a file whose name is no text', async () => {
    const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])])
    writeFileSync(name, 'x')
    const [changed] = (await changedSince([folder], now())) ?? []
    expect(changed?.path).toEqual(name)
    expect(renewChangeTimes([name])).toEqual([])
  })

  it('takes a file as a path, and one that is not there for nothing', async () => {
    write('file')
    expect(await changedSince([at('file'), at('nothing')], now())).toMatchObject([{ uid: statSync(at('file')).uid }])
  })

  it('knows nothing when the clock was set meanwhile', async () => {
    expect(await changedSince([folder], { at: Date.now() - 3_600_000, steadyAt: performance.now() })).toBeNull()
  })

  it('looks no further than it takes to know that there is enough', async () => {
    for (let index = 0; index < 20; index++) write(`file${index}`, 'ten bytes.')
    expect(await holdsAtLeast([folder], { files: 20, bytes: 1_000 })).toBe(true)
    expect(await holdsAtLeast([folder], { files: 1_000, bytes: 200 })).toBe(true)
    expect(await holdsAtLeast([folder], { files: 21, bytes: 201 })).toBe(false)
  })

  it('gives a file a new change time and nothing else, and passes over what is none any more', () => {
    write('file')
    chmodSync(at('file'), 0o4751)
    linkSync(at('file'), at('second name'))
    symlinkSync('file', at('link'))
    const before = statSync(at('file'), { bigint: true })
    for (const limit = Date.now() + 5_000; statSync(at('file'), { bigint: true }).ctimeNs === before.ctimeNs; ) {
      expect(Date.now()).toBeLessThan(limit)
      expect(renewChangeTimes([at('file'), at('gone'), at('link'), at('file/below')].map((path) => Buffer.from(path)))).toEqual([])
    }
    const after = statSync(at('file'), { bigint: true })
    expect({ ...after, ctime: 0, ctimeMs: 0, ctimeNs: 0, atime: 0, atimeMs: 0, atimeNs: 0 }).toEqual({ ...before, ctime: 0, ctimeMs: 0, ctimeNs: 0, atime: 0, atimeMs: 0, atimeNs: 0 })
  })

  it('trusts the times of file systems that are known for it, and of no other', () => {
    expect(timesEveryWrite('/proc')).toBe(false)
    expect(timesEveryWrite(at('nothing'))).toBe(false)
  })

  it('settles the files with the real tool, and says in its words when it cannot', async () => {
    const before = Date.now()
    const { at: moment } = await settleFiles([folder], createExec(), new AbortController().signal)
    expect(moment).toBeGreaterThanOrEqual(before)
    await expect(settleFiles([at('nothing')], createExec(), new AbortController().signal)).rejects.toThrow(/No such file/)
  })
})
