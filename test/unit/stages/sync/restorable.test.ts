import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'

import type { Engine, RepositoryLayout } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { configuration, at, errorOf, partly, write } from '../fixtures.js'
import { frozenList, groupFiles } from '../../../../src/stages/sync/file-list.js'
import { assertRestorable, absentRoles, unassignedFiles } from '../../../../src/stages/sync/restorable.js'
import { layout, nameOf } from './layout.js'

/** A repository of another tool: numbered files next to folders. */
const numbered: RepositoryLayout = {
  groups: [
    { name: 'config', path: 'config', isFile: true, namePattern: /^config$/, nameIs: 'none', decidesValidity: true, role: 'config' },
    { name: 'segments', path: 'data', isFile: false, namePattern: /^\d+$/, nameIs: 'none', decidesValidity: false, role: 'data' },
    { name: 'tables', path: '', isFile: false, namePattern: /^(?:index|hints)\.\d+$/, nameIs: 'none', decidesValidity: true, role: 'index' },
    { name: 'archives', path: 'archives', isFile: false, namePattern: /^[0-9a-f]{64}$/, nameIs: 'none', decidesValidity: true, role: 'snapshot' },
  ],
  ignored: ['locks', 'lock.roster'],
  ignoredNames: [/^tmp\.\w+$/],
}

describe('what a copy of a repository is made from', () => {
  const fill = (...paths: readonly string[]): void => {
    for (const path of paths) write(`repository/${path}`)
  }
  const restic = ['config', `keys/${nameOf('key')}`, `data/aa/${nameOf('pack')}`, `index/${nameOf('index')}`, `snapshots/${nameOf('snapshot')}`]
  const asserted = async (one: RepositoryLayout): Promise<void> => {
    for (const { path, isFile } of one.groups) if (!isFile && path !== '') mkdirSync(at(`repository/${path}`), { recursive: true })
    const list = await frozenList(at('repository'), one)
    await assertRestorable({ configuration: configuration() }, partly<Engine>('engine', { layout: () => one }), at('repository'), list)
  }

  it('is every file of a repository that its layout names completely', async () => {
    fill(...restic)
    await asserted(layout)
    expect(await unassignedFiles(at('repository'), layout)).toEqual([])
  })

  it.each([['README'], ['index.38'], [`data/aa/${nameOf('pack')}.new`], ['data/aa/notes.txt'], ['other/folder/file'], [`snapshots/${nameOf('x')}x`], ['name with "quotes" and \n a line'], ['--x'], ['$HOME']])('is refused with exit code 2 where the layout does not say what %s is', async (path) => {
    fill(...restic, path)
    const error = await errorOf(() => asserted(layout))
    expect(error).toMatchObject({ kind: 'configuration', code: 'file-not-in-layout' })
    expect(error.message).toContain(`does not say what to do with ${path.includes('\n') ? JSON.stringify(path) : path} in ${at('repository')}`)
  })

  it('names the first of many files, and says that there are more', async () => {
    fill(...restic, ...Array.from({ length: 30 }, (_, number) => `hints.${String(number).padStart(2, '0')}`))
    const error = await errorOf(() => asserted(layout))
    expect(error.message).toMatch(/hints\.\d\d, hints\.\d\d, hints\.\d\d and many more/)
  })

  it('leaves out what the engine ignores, what systems put into folders, and what stackbk itself left there', async () => {
    fill(...restic, `locks/${nameOf('lock')}`, 'lost+found/#123', '.DS_Store', 'data/.nfs000000000012', '@eaDir/x', '.Trash-1000/files/x', 'data/aa/._x')
    fill('stackbk-restore.json', `.${nameOf('x')}.0123456789ab.tmp`, `data/aa/${nameOf('pack')}.12345678.partial`, '.stackbk-trash/2026-01-01/config')
    await asserted(layout)
  })

  it('follows links, and reports a folder of something else that cannot be read by its name', async () => {
    fill(...restic)
    write('elsewhere/file')
    symlinkSync(at('elsewhere'), at('repository/linked'))
    symlinkSync(at('nothing'), at('repository/broken'))
    expect(await unassignedFiles(at('repository'), layout)).toEqual(['broken', 'linked/file'])
    mkdirSync(at('repository/closed'))
    chmodSync(at('repository/closed'), 0)
    if (process.getuid?.() !== 0) expect(await unassignedFiles(at('repository'), layout)).toContain('closed/')
    chmodSync(at('repository/closed'), 0o700)
  })

  it('may have groups of files next to folders, and single files and names that are ignored', async () => {
    fill('config', 'data/0/1', 'data/0/17', 'index.38', 'hints.38', 'lock.roster', 'locks/a/b', 'data/0/tmp.abc')
    await asserted(numbered)
    const files = (await frozenList(at('repository'), numbered)).map(({ group, files }) => [group.name, files.map(({ path }) => path).sort()])
    expect(files).toEqual([['config', ['config']], ['segments', ['data/0/1', 'data/0/17']], ['tables', ['hints.38', 'index.38']], ['archives', []]])
    const { list, strays } = groupFiles(numbered, ['index.1', 'data/index.1', 'lock.roster', 'data/tmp.x', 'config'].map((path) => ({ path, size: 1 })))
    expect(list.map(({ files: some }) => some.map(({ path }) => path))).toEqual([['config'], [], ['index.1'], []])
    expect(strays.map(({ path }) => path)).toEqual(['data/index.1'])
  })

  it('needs the groups without which a restore finds no repository, and files in them', async () => {
    fill('config', 'data/0/1')
    const { groups } = numbered
    expect((await errorOf(() => asserted({ ...numbered, groups: groups.filter(({ role }) => role !== 'snapshot') }))).code).toBe('layout-incomplete')
    expect((await errorOf(() => asserted({ ...numbered, groups: groups.filter(({ role }) => role !== 'config') }))).message).toContain('does not name its config files')
    const withKeys: RepositoryLayout = { ...numbered, groups: [...groups, { name: 'keys', path: 'keys', isFile: false, namePattern: /./, nameIs: 'none', decidesValidity: true, role: 'key' }] }
    expect((await errorOf(() => asserted(withKeys))).message).toContain('names no key file')
    expect(absentRoles(groups.map((group) => ({ group, files: [] })))).toEqual(['config'])
  })
})
