import { chmod, lchown, mkdir, readdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'

import { answered } from '@stackbk/contract'

import { endedWell } from './borg.js'
import { patternOf } from './entries.js'

/** Brings back a snapshot or a part of it. */
export async function restoreSnapshot(engine, borg, { snapshot, target, include, subfolder, deleteExtra, sparse, signal }) {
  const wanted = include.length > 0 ? include : subfolder === '' ? [] : [subfolder]
  const listed = await engine.list(snapshot, { signal })
  if (!listed.ok) return listed
  const isWanted = ({ path }) => wanted.length === 0 || wanted.some((one) => path === one || path.startsWith(`${one}/`))
  const entries = listed.value.filter(isWanted)
  await mkdir(target, { recursive: true })
  if (entries.length > 0) {
    const depth = subfolder.split('/').filter((part) => part !== '').length
    const result = await borg.run(['extract', '--list', ...(sparse ? ['--sparse'] : []), ...(depth === 0 ? [] : [`--strip-components=${depth}`]), '--', `${borg.repository}::${snapshot}`, ...wanted.map(patternOf)], { cwd: target, signal, keepBytes: 1024 * 1024 })
    // borg ends with 1 where something of a file, such as its owner, could not be set.
    if (!endedWell(result) || (result.exitCode === 1 && process.getuid?.() === 0)) return borg.failed(result, `the snapshot ${snapshot.slice(0, 8)} could not be restored to ${target}`)
  }
  const inTarget = new Map(entries.flatMap((entry) => (entry.path === subfolder ? [] : [[relative(subfolder === '' ? '/' : subfolder, entry.path), entry]])))
  const root = entries.find(({ path }) => path === subfolder)
  if (root !== undefined) {
    if (process.getuid?.() === 0) await lchown(target, root.uid, root.gid)
    await chmod(target, root.mode)
  }
  if (deleteExtra) await removeExtra(target, '', inTarget)
  return answered({ files: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) })
}

/** Removes what is not in the snapshot. Folders that lead to something in it stay. */
async function removeExtra(root, folder, wanted) {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    const leadsToOne = [...wanted.keys()].some((one) => one.startsWith(`${path}/`))
    if (!wanted.has(path) && !leadsToOne) await rm(join(root, path), { recursive: true, force: true })
    else if (entry.isDirectory()) await removeExtra(root, path, wanted)
  }
}
