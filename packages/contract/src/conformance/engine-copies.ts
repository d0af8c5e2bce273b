import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { LayoutGroup, RepositoryLayout } from '../engine.js'
import { valueOf } from './answers.js'
import { filesBelow, requestOf, snapshot, type EngineBench } from './engine-bench.js'
import { expectEqual, expectThat } from './expectations.js'

type Sentence = readonly [name: string, body: (bench: EngineBench) => Promise<void>]

/** What an engine promises whose repository is copied file by file. One without `layout` promises none of it. */
export const copySentences: readonly Sentence[] = [
  ['the layout covers every file of a repository, and names that follow from content do', async ({ engine, source, repository }) => {
    if (engine.layout === undefined) return
    writeFileSync(join(source, 'file'), 'content')
    const { id } = await snapshot(engine, requestOf(source))
    const layout = engine.layout()
    for (const file of filesBelow(repository)) {
      if (isIgnored(layout, file)) continue
      const group = layout.groups.find((one) => belongsTo(one, file))
      expectThat(`the file ${file} of the repository is in a group of the layout, by its path and namePattern, or ignored`, group !== undefined)
      const name = nameOf(file)
      if (group.nameIs === 'sha256') expectEqual(`the name of ${file}, since its group says that it is the SHA-256 of the content`, name, createHash('sha256').update(readFileSync(join(repository, file))).digest('hex'))
    }
    const { groups } = layout
    for (const role of ['config', 'snapshot'] as const) expectThat(`the layout has a group of the role ${role}: without it a copy is no repository, or nothing is known of what may be deleted from it`, groups.some((group) => group.role === role))
    expectEqual('the names of the files of the role snapshot, which are the IDs of the snapshots', filesBelow(repository).filter((file) => !isIgnored(layout, file) && groups.find((one) => belongsTo(one, file))?.role === 'snapshot').map(nameOf), [id])
    const order = groups.map(({ role }) => ['data', 'index', 'snapshot'].indexOf(role)).filter((position) => position >= 0)
    expectEqual('the order of the groups: data before index before snapshot, so that a copy is valid at every instant', order, order.toSorted((one, other) => one - other))
  }],

  ['lost data is found, and whose it was', async ({ engine, source, repository }) => {
    const data = engine.layout?.().groups.find(({ role }) => role === 'data')
    if (data === undefined) return
    writeFileSync(join(source, 'file'), 'content')
    const intact = await snapshot(engine, requestOf(source))
    const before = new Set(filesBelow(join(repository, data.path)))
    writeFileSync(join(source, 'other'), 'more')
    const broken = await snapshot(engine, requestOf(source))
    expectEqual('whether the repository is intact before a file is removed', valueOf(await engine.check({ readDataPercent: 100 })).isSound, true)
    for (const file of filesBelow(join(repository, data.path))) if (!before.has(file)) rmSync(join(repository, data.path, file))
    for (const depth of ['metadata', 'files', 'data'] as const) {
      const results = valueOf(await engine.verify([intact.id, broken.id].map((id) => ({ id, files: null, bytes: null })), depth))
      expectEqual(`whether the older and the newer snapshot are intact at the depth ${depth}, after the data of the newer one was removed`, results.map(({ isSound }) => isSound), [true, false])
    }
    const checked = valueOf(await engine.check({ readDataPercent: 0 }))
    expectEqual('whether the repository is intact after data was removed', checked.isSound, false)
    expectThat('check() names what it found in errors', checked.errors.length > 0)
  }],

  ['a copy of the files alone, once completed, is a repository of the same ID, and can be written to unless the layout says otherwise', async ({ engine, source, repository, scratch }) => {
    if (engine.layout === undefined) return
    const layout = engine.layout()
    writeFileSync(join(source, 'file'), 'content')
    const { id } = await snapshot(engine, requestOf(source))
    const copy = join(scratch, 'copy')
    copyFiles(repository, copy, (file) => !isIgnored(layout, file))
    if (engine.completeCopy !== undefined) valueOf(await engine.completeCopy(copy))
    const other = engine.at(copy)
    try {
      expectEqual('the folder of the engine that at() gives', other.location().path, copy)
      expectEqual('the ID of a copy, which is that of the original', valueOf(await other.repositoryId()), valueOf(await engine.repositoryId()))
      expectEqual('the snapshots of a copy', valueOf(await other.snapshots()).map((entry) => entry.id), [id])
      if (layout.copiesAreReadOnly === true) return
      writeFileSync(join(source, 'second'), 'x'.repeat(1000))
      const made = await snapshot(other, { ...requestOf(source), parent: id })
      expectEqual('whether a copy that was written to is intact', valueOf(await other.check({ readDataPercent: 100 })).isSound, true)
      expectEqual('the snapshots of the original after its copy was written to', valueOf(await engine.snapshots()).map((entry) => entry.id), [id])
      expectThat('a snapshot in the copy has another ID than the one that is there', made.id !== id)
    } finally {
      await other.close()
    }
  }],

  ['snapshots are listed without the files of the data, where the layout says so (listsWithoutData)', async ({ engine, source, repository, scratch }) => {
    const layout = engine.layout?.()
    if (layout?.listsWithoutData !== true) return
    writeFileSync(join(source, 'file'), 'content')
    const { id } = await snapshot(engine, requestOf(source))
    const copy = join(scratch, 'lists')
    copyFiles(repository, copy, (file) => !isIgnored(layout, file) && layout.groups.find((group) => belongsTo(group, file))?.role !== 'data')
    if (engine.completeCopy !== undefined) valueOf(await engine.completeCopy(copy))
    const other = engine.at(copy)
    try {
      expectEqual('the snapshots of a copy that lacks the files of the role data, because listsWithoutData is true', valueOf(await other.snapshots()).map((entry) => entry.id), [id])
    } finally {
      await other.close()
    }
  }],
]

function copyFiles(from: string, to: string, isWanted: (file: string) => boolean): void {
  for (const file of filesBelow(from).filter(isWanted)) {
    mkdirSync(dirname(join(to, file)), { recursive: true })
    copyFileSync(join(from, file), join(to, file))
  }
}

function belongsTo({ isFile, path, namePattern }: LayoutGroup, file: string): boolean {
  if (isFile) return file === path
  return (path === '' ? !file.includes('/') : file.startsWith(`${path}/`)) && namePattern.test(nameOf(file))
}

function isIgnored({ ignored, ignoredNames = [] }: RepositoryLayout, file: string): boolean {
  return ignored.some((path) => file === path || file.startsWith(`${path}/`)) || ignoredNames.some((pattern) => pattern.test(nameOf(file)))
}

function nameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1)
}
