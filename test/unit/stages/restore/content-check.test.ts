import { appendFileSync, mkdirSync, rmSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { checkContents } from '../../../../src/stages/restore/content-check.js'
import { groupFiles, type FileList } from '../../../../src/stages/sync/file-list.js'
import { at, write } from '../fixtures.js'
import { layout, nameOf } from '../sync/layout.js'

describe('the check of contents', () => {
  const { signal } = new AbortController()
  /** Files whose names tell what they hold; as many as there are contents. */
  function files(...contents: string[]): { paths: string[]; list: FileList } {
    const paths = contents.map((content) => `data/aa/${nameOf(content)}`)
    for (const [index, path] of paths.entries()) write(path, contents[index])
    write('config', 'no name tells what this holds')
    return { paths, list: groupFiles(layout, [...paths, 'config'].map((path) => ({ path, size: 1 }))).list }
  }

  it('finds all sound that are, and counts those that can be told', async () => {
    const { list } = files('one', 'two', '', 'x'.repeat(3 * 1024 * 1024))
    const seen: string[] = []
    expect(await checkContents(at(''), list, { signal, onFile: (done, total) => seen.push(`${done}/${total}`) })).toEqual({ filesChecked: 4, corrupt: [] })
    expect(seen).toEqual(['1/4', '2/4', '3/4', '4/4'])
  })

  it('finds every one that is rotten: a changed byte, a cut, an addition', async () => {
    const { paths, list } = files('sound', 'changed', 'cut short', 'added to')
    write(paths[1] ?? '', 'chanxed')
    write(paths[2] ?? '', 'cut')
    appendFileSync(at(paths[3] ?? ''), ' ')
    expect(await checkContents(at(''), list, { signal })).toEqual({ filesChecked: 4, corrupt: paths.slice(1).sort() })
  })

  it('takes one that is not there for one that is not sound', async () => {
    const { paths, list } = files('one', 'two')
    rmSync(at(paths[0] ?? ''))
    expect(await checkContents(at(''), list, { signal })).toEqual({ filesChecked: 2, corrupt: [paths[0]] })
  })

  it('throws when one cannot be read, and reads no further: nobody waits for the rest', async () => {
    const { paths, list } = files(...Array.from({ length: 40 }, (_, index) => `file ${index}`))
    rmSync(at(paths[39] ?? ''))
    mkdirSync(at(paths[39] ?? ''))
    let seen = 0
    await expect(checkContents(at(''), list, { signal, onFile: () => seen++ })).rejects.toThrow(/EISDIR/)
    const atOnce = seen
    // As much work as the rest would be, which is time enough for it.
    rmSync(at(paths[39] ?? ''), { recursive: true })
    await checkContents(at(''), list, { signal })
    expect(seen).toBeLessThanOrEqual(atOnce + 1)
  })

  it('ends at a signal, and then says nothing of soundness', async () => {
    const controller = new AbortController()
    const { list } = files(...Array.from({ length: 20 }, (_, index) => `file ${index}`))
    let seen = 0
    const check = checkContents(at(''), list, { signal: controller.signal, onFile: () => (seen++, controller.abort()) })
    await expect(check).rejects.toThrow(/abort/i)
    expect(seen).toBeLessThan(20)
  })
})
