import { appendFileSync, chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ChangeWatch, type WatchedChanges } from '../../../src/host/change-watch.js'
import { freeWatches, watchLimit } from '../../../src/host/inotify-watches.js'

let folder = ''
const at = (path: string): string => join(folder, path)
/** Lets the event loop turn, so that what the kernel has reported is delivered. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stackbk-watch-'))
  mkdirSync(at('data/deep/er'), { recursive: true })
  writeFileSync(at('data/deep/er/file'), 'x')
  writeFileSync(at('data/other'), 'x')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What is reported of three acts: before the reading, in it, and after it. */
async function changesOf(acts: { before?: () => void; within?: () => void; after?: () => void }, paths = [at('data')], isIgnored?: (path: string) => boolean): Promise<WatchedChanges> {
  const watch = await ChangeWatch.of(paths, isIgnored)
  acts.before?.()
  await turns()
  watch.begin()
  await turns()
  acts.within?.()
  const ended = watch.end()
  await ended
  acts.after?.()
  return await watch.result()
}

describe('a watch for changes', () => {
  it.each([
    ['a write', () => appendFileSync(at('data/deep/er/file'), 'y'), 'data/deep/er/file'],
    ['a new file', () => writeFileSync(at('data/deep/new'), 'y'), 'data/deep/new'],
    ['a removed file', () => unlinkSync(at('data/other')), 'data/other'],
    ['a rename', () => renameSync(at('data/other'), at('data/deep/moved')), 'data/deep/moved'],
    ['a file that is replaced as a whole', () => (writeFileSync(at('new'), 'y'), renameSync(at('new'), at('data/other'))), 'data/other'],
    ['another mode', () => chmodSync(at('data/other'), 0o600), 'data/other'],
    ['a name with a newline', () => writeFileSync(at('data/$a\n--x'), 'y'), 'data/$a\n--x'],
    ['a file that is not named in text', () => writeFileSync(Buffer.concat([Buffer.from(at('data/')), Buffer.from([0xff])]), 'y'), 'data/\ufffd'],
  ])('sees %s', async (_, act, path) => {
    const { changed, doubt } = await changesOf({ within: act })
    expect(changed).toContain(at(path))
    expect(doubt).toBeNull()
  })

  it('does not count what happened before and afterwards, also to the same file, nor what is only read', async () => {
    const write = (): void => appendFileSync(at('data/other'), 'y')
    expect(await changesOf({ before: write, within: () => void readFileSync(at('data/deep/er/file')), after: write })).toEqual({ changed: [], late: [], doubt: null })
    expect((await changesOf({ before: write, within: write, after: write })).changed).toEqual([at('data/other')])
  })

  it('does not count a write that was made just before it began, and is delivered later', async () => {
    const watch = await ChangeWatch.of([at('data')])
    appendFileSync(at('data/other'), 'y')
    watch.begin()
    await turns()
    expect(await watch.result()).toEqual({ changed: [], late: [], doubt: null })
  })

  it('follows folders that are made, moved and made once more', async () => {
    const before = (): void => {
      renameSync(at('data/deep'), at('data/moved'))
      mkdirSync(at('data/deep/er'), { recursive: true })
    }
    const watch = await ChangeWatch.of([at('data')])
    before()
    // The new folders are watched as soon as the kernel has reported them.
    await expect.poll(async () => (await turns(), ['data/deep/er', 'data/moved/er'].every((path) => watch.isWatching(at(path))))).toBe(true)
    watch.begin()
    await turns()
    writeFileSync(at('data/deep/er/new'), 'y')
    appendFileSync(at('data/moved/er/file'), 'y')
    expect((await watch.result()).changed.toSorted()).toEqual([at('data/deep/er/new'), at('data/moved/er/file')])
  })

  it('names folders that appear while it is under way', async () => {
    const watch = await ChangeWatch.of([at('data')])
    watch.begin()
    await turns()
    mkdirSync(at('data/late'))
    await turns()
    expect(await watch.result()).toMatchObject({ changed: [at('data/late')], late: [at('data/late')] })
  })

  it('watches single files, passes over what is ignored, and is in no doubt of what is not there', async () => {
    const act = (): void => {
      appendFileSync(at('data/other'), 'y')
      appendFileSync(at('data/deep/er/file'), 'y')
    }
    expect(await changesOf({ within: act }, [at('data/other'), at('not-there')])).toEqual({ changed: [at('data/other')], late: [], doubt: null })
    expect((await changesOf({ within: act }, [at('data')], (path) => path.endsWith('/deep'))).changed).toEqual([at('data/other')])
  })

  it('sees a write through another link where it watches the file itself', async () => {
    linkSync(at('data/other'), at('link'))
    expect((await changesOf({ within: () => appendFileSync(at('link'), 'y') }, [at('data/other')])).changed).toEqual([at('data/other')])
  })
})

describe('a watch of many folders', () => {
  const folders = 100
  beforeEach(() => {
    for (let at = 0; at < folders; at++) mkdirSync(join(folder, 'data', `${at}`))
  })
  const watchWith = (limit: number, free: number): Promise<ChangeWatch> => ChangeWatch.of([at('data')], () => false, { limit, free: () => Promise.resolve(free) })

  it('takes up to nine tenths of what other programs leave free, and no more', async () => {
    const wide = await watchWith(200, 60)
    wide.begin()
    await turns()
    writeFileSync(at('data/99/new'), 'x')
    expect(await wide.result()).toEqual({ changed: [at('data/99/new')], late: [], doubt: null })
    const narrow = await watchWith(200, 50)
    expect(narrow.isIncomplete).toBe(true)
    expect((await narrow.result()).doubt).toBe('it has more than 95 folders, too many to watch for changes with the present fs.inotify.max_user_watches')
  })

  it('asks for what is free only where a quarter of all is not enough', async () => {
    const watch = await ChangeWatch.of([at('data')], () => false, { limit: 1000, free: () => Promise.reject(new Error('asked')) })
    expect(await watch.result()).toEqual({ changed: [], late: [], doubt: null })
  })

  it('knows what is free by the watches of all programs of the user', async () => {
    const before = await freeWatches()
    const watch = await ChangeWatch.of([at('data')])
    expect(await freeWatches()).toBeLessThanOrEqual(watchLimit() - folders)
    await watch.result()
    expect(before).toBeGreaterThan(0)
  })
})
