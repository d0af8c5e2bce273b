import { renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { readDirlist } from '../../../../src/stacks/dirlist.js'
import { stackKey } from '../../../../src/stacks/identity.js'
import { rememberStack } from '../../../../src/stacks/stack-memory.js'
import { findNamesakeSnapshots, type NamesakeSnapshots } from '../../../../src/stages/backup/namesakes.js'
import { at, snapshotOf, write } from '../fixtures.js'

/** A folder with a compose file. */
function stack(path: string): string {
  write(join(path, 'compose.yaml'), 'services: {}\n')
  return at(path)
}

function remember(name: string, directory: string): void {
  rememberStack(at('memories'), stackKey({ name, directory }), { schemaVersion: 1, name, directory, lastGood: null, lastDowntimeMs: null, lastReadyMs: null })
}

/** Of a stack `media` in this folder, with a snapshot of each of these folders. */
function found(directory: string, folders: readonly string[]): NamesakeSnapshots {
  const snapshots = folders.map((folder) => snapshotOf(folder, { tags: ['stackbk', 'stack:media'], paths: ['/var/lib/docker/volumes/media/_data', folder] }))
  const dirlist = readDirlist({ file: at('dirlist'), stacksDirectory: at('stacks') })
  return findNamesakeSnapshots([{ name: 'media', directory }], { snapshots, dirlist, memories: at('memories') })
}

describe('snapshots of another stack of the same name', () => {
  it('are found where the dirlist knows its folder, on or off, and named once, with a name for this one', () => {
    const [own, other] = [stack('old/media'), stack('stacks/media')]
    for (const line of ['media=false\n', 'media=true\n', '']) {
      write('dirlist', `${line}${own}=true\n`)
      const { ids, problems } = found(own, [own, other])
      expect([...ids]).toEqual([other])
      expect(problems).toMatchObject([{ severity: 'warning', code: 'stacks-not-distinct', stack: 'media', message: expect.stringContaining(other) as string, fix: expect.stringContaining(`stackbk dirlist add ${own} --name old`) as string }])
    }
  })

  it('are none where the other one was never backed up', () => {
    const own = stack('old/media')
    stack('stacks/media')
    write('dirlist', `media=false\n${own}=true\n`)
    expect(found(own, [own])).toEqual({ ids: new Set(), problems: [] })
  })

  it('are found where it has another name now, or is not listed any more, and was backed up under this one', () => {
    const [own, other] = [stack('stacks/media'), stack('old/media')]
    write('dirlist', `media=true\n${other} as films=false\n`)
    expect([...found(own, [own, other]).ids]).toEqual([])
    remember('media', other)
    expect([...found(own, [own, other]).ids]).toEqual([other])
    write('dirlist', 'media=true\n')
    expect([...found(own, [own, other]).ids]).toEqual([other])
  })

  it('are found where its disk may not be mounted', () => {
    const own = stack('stacks/media')
    const other = stack('disk/media')
    write('dirlist', `media=true\n${other}=false\n`)
    remember('media', other)
    rmSync(other, { recursive: true })
    expect([...found(own, [own, other]).ids]).toEqual([other])
    write('disk/note', 'mounted')
    expect([...found(own, [own, other]).ids]).toEqual([])
  })

  it('are none of a stack that was moved, also where a link leads from its old place to the new one', () => {
    stack('stacks/web')
    const [old, own] = [stack('stacks/media'), at('new/media')]
    write('new/note', '')
    remember('media', old)
    renameSync(old, own)
    write('dirlist', `media=false\n${own}=true\n`)
    expect(found(own, [old, own])).toEqual({ ids: new Set(), problems: [] })
    symlinkSync(own, old)
    expect(found(own, [old, own])).toEqual({ ids: new Set(), problems: [] })
  })
})
