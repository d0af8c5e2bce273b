import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createExec } from '@stackbk/tool-runner'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { changedSince, holdsAtLeast, placesOfUntimedWrites, renewChangeTimes, settleFiles, timesEveryWrite, type ChangedFile, type Moment } from '../../../src/host/file-times.js'

describe('what files tell by their times', () => {
  let folder = ''
  const at = (path: string): string => join(folder, path)
  const write = (path: string, text = 'x'): string => (writeFileSync(at(path), text), at(path))
  const now = (): Moment => ({ at: Date.now(), steadyAt: performance.now() })
  /** So far ahead that nothing which is there already falls within the margin. */
  const later = (): Moment => ({ at: Date.now() + 5_000, steadyAt: performance.now() + 5_000 })
  const changed = async (): Promise<readonly ChangedFile[]> => (await changedSince([folder], now())).files
  const names = async (moment: Moment): Promise<string[]> => (await changedSince([folder], moment)).files.map(({ path }) => path.toString('latin1').slice(folder.length + 1)).sort()

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
    const files = await changed()
    expect(files.map(({ path }) => path)).toEqual([name])
    expect(renewChangeTimes(files)).toEqual([])
  })

  it('takes a file as a path, and one that is not there for nothing', async () => {
    write('file')
    expect(await changedSince([at('file'), at('nothing')], now())).toMatchObject({ files: [{ uid: statSync(at('file')).uid }], doubt: null })
  })

  it('is in doubt when the clock was set meanwhile, and where something could not be looked at', async () => {
    expect((await changedSince([folder], { at: Date.now() - 3_600_000, steadyAt: performance.now() })).doubt).toMatch(/clock/)
    write('file')
    expect((await changedSince([folder], now(), AbortSignal.abort())).doubt).toMatch(/interrupted/)
    const tooLong = `${'x'.repeat(200)}/`.repeat(25)
    expect((await changedSince([at(tooLong)], now())).doubt).toMatch(/ENAMETOOLONG/)
  })

  it('looks no further than it takes to know that there is enough', async () => {
    for (let index = 0; index < 20; index++) write(`file${index}`, 'ten bytes.')
    expect(await holdsAtLeast([folder], { files: 20, bytes: 1_000 })).toBe(true)
    expect(await holdsAtLeast([folder], { files: 1_000, bytes: 200 })).toBe(true)
    expect(await holdsAtLeast([folder], { files: 21, bytes: 201 })).toBe(false)
  })

  it('gives a file a new change time and nothing else', async () => {
    write('file')
    chmodSync(at('file'), 0o4751)
    linkSync(at('file'), at('second name'))
    const files = await changed()
    const before = statSync(at('file'), { bigint: true })
    for (const limit = Date.now() + 5_000; statSync(at('file'), { bigint: true }).ctimeNs === before.ctimeNs; ) {
      expect(Date.now()).toBeLessThan(limit)
      expect(renewChangeTimes(files)).toEqual([])
    }
    const after = statSync(at('file'), { bigint: true })
    expect({ ...after, ctime: 0, ctimeMs: 0, ctimeNs: 0, atime: 0, atimeMs: 0, atimeNs: 0 }).toEqual({ ...before, ctime: 0, ctimeMs: 0, ctimeNs: 0, atime: 0, atimeMs: 0, atimeNs: 0 })
  })

  it('leaves alone what has taken the place of a file meanwhile, also by a link to another folder', async () => {
    mkdirSync(at('victim'))
    write('victim/file')
    const victim = statSync(at('victim/file'), { bigint: true })
    for (const name of ['one', 'two', 'three', 'four', 'folder']) {
      if (name === 'folder') mkdirSync(at(name))
      write(name === 'folder' ? 'folder/file' : name)
    }
    const files = (await changed()).filter(({ path }) => !path.toString().startsWith(at('victim')))
    rmSync(at('one'))
    for (const name of ['two', 'three', 'four', 'folder']) rmSync(at(name), { recursive: true })
    symlinkSync('victim/file', at('two'))
    mkdirSync(at('three'))
    linkSync(at('victim/file'), at('four'))
    symlinkSync('victim', at('folder'))
    // Until a change time would be another one.
    for (const limit = Date.now() + 5_000; ; ) {
      write('clock')
      if (statSync(at('clock'), { bigint: true }).ctimeNs > statSync(at('four'), { bigint: true }).ctimeNs) break
      expect(Date.now()).toBeLessThan(limit)
    }
    const linked = statSync(at('four'), { bigint: true })
    expect(files).toHaveLength(5)
    expect(renewChangeTimes(files)).toEqual([])
    expect(statSync(at('victim/file'), { bigint: true })).toMatchObject({ ino: victim.ino, ctimeNs: linked.ctimeNs })
  })

  it('trusts the times of file systems that are known for it, and of no other', () => {
    expect(timesEveryWrite('/proc')).toBe(false)
    expect(timesEveryWrite(at('nothing'))).toBe(false)
  })

  it('trusts no path below which a file system is mounted that it does not trust', () => {
    const mounted = ['/', folder, at('a'), '/proc', '/dev/shm', `${folder}-beside`]
    expect(placesOfUntimedWrites(['/proc', folder], mounted)).toEqual(['/proc', ...(timesEveryWrite(folder) ? [] : [folder]), at('a')])
    expect(placesOfUntimedWrites(['/dev'], mounted)).toContain('/dev/shm')
  })

  it('settles the files with the real tool, and says in its words when it cannot', async () => {
    const before = Date.now()
    const { at: moment } = await settleFiles([folder], createExec(), new AbortController().signal)
    expect(moment).toBeGreaterThanOrEqual(before)
    await expect(settleFiles([at('nothing')], createExec(), new AbortController().signal)).rejects.toThrow(/No such file/)
  })
})
