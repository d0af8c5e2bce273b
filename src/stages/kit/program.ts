import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'

import { StackbkError } from '../../errors.js'
import type { KitFile } from './archive.js'

/**
 * Packs this installation of stackbk as a tarball that `npm install --global` takes without a registry: what was installed
 * from such a tarball holds everything that belongs into one.
 *
 * Throws `usage` where stackbk runs from its source code: dependencies lie elsewhere then, and much would come along that is
 * not part of the program. `root`: the folder of stackbk.
 */
export async function packedProgram(root: string, version: string): Promise<KitFile> {
  if (!isInstalled(root)) {
    throw new StackbkError({ kind: 'usage', code: 'program-not-packed', message: 'this stackbk runs from its source code and cannot be packed into the kit', detail: root, fix: 'Make a tarball there with npm pack, and use stackbk as installed from that' })
  }
  const { pack } = await import('tar-stream')
  const archive = pack()
  const packed = buffer(archive.pipe(createGzip()))
  for (const path of filesBelow(root)) {
    const mode = (lstatSync(join(root, path)).mode & 0o111) === 0 ? 0o644 : 0o755
    archive.entry({ name: `package/${path}`, mode }, readFileSync(join(root, path)))
  }
  archive.finalize()
  return { name: `stackbk-${version}.tgz`, content: await packed }
}

/** The package of a release says that all its dependencies are inside of it. */
function isInstalled(root: string): boolean {
  const { bundleDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly bundleDependencies?: unknown }
  return bundleDependencies === true && !existsSync(join(root, '.git'))
}

/** Links are what npm makes anew at an installation, such as those in node_modules/.bin. */
function filesBelow(root: string): readonly string[] {
  const found: string[] = []
  const folders = ['']
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true }).toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile() && path !== 'node_modules/.package-lock.json') found.push(path)
    }
  }
  return found
}
