import { normalize } from 'node:path'

import { answered, type Answer } from '@stackbk/contract'
import { files } from '@stackbk/tool-runner/files'

import { isWithin, pathOnFileSystem, type Mount, type MountTable } from './mounts.js'

/** A path that is to be frozen. */
export interface Source {
  /** As it was given, without a slash at its end: where the copy is to be shown. */
  readonly target: string
  /** The same, symbolic links resolved. */
  readonly path: string
  readonly isDirectory: boolean
  readonly mount: Mount
  readonly pathOnFileSystem: string
}

/** The stack may be down while this is asked. */
const limit = { limitMs: 5_000 }

/** What lies where; paths within others are left out, since those others hold them. Fails where something is mounted below one. */
export async function sourcesOf(paths: readonly string[], mounts: MountTable): Promise<Answer<readonly Source[]>> {
  const sources: Source[] = []
  for (const given of paths) {
    const target = normalize(`${given}/`).replace(/(?<=.)\/$/, '')
    let path: string
    let isDirectory: boolean
    try {
      path = await files.realPath(target, limit)
      isDirectory = (await files.stat(path, limit)).kind === 'directory'
    } catch (error) {
      return unsupported(`${target} cannot be frozen: ${(error as Error).message}`)
    }
    const mount = mounts.of(path)
    if (mount === null) return unsupported(`${target} cannot be frozen: what is mounted there cannot be found out`)
    sources.push({ target, path, isDirectory, mount, pathOnFileSystem: pathOnFileSystem(path, mount) })
  }
  for (const { target, path } of sources) {
    const below = mounts.visible.find(({ point }) => point !== path && isWithin(point, path))
    if (below !== undefined) return unsupported(`${target} cannot be frozen: something is mounted below it, at ${below.point}`)
  }
  return answered(sources.filter((source, index) => !sources.some((other, at) => at !== index && holds(other, source) && (other.path !== source.path || at < index))))
}

export function unsupported(message: string, fix?: string): { readonly ok: false; readonly failure: { readonly kind: 'unsupported'; readonly message: string; readonly fix?: string } } {
  return { ok: false, failure: { kind: 'unsupported', message, ...(fix === undefined ? {} : { fix }) } }
}

function holds(outer: Source, inner: Source): boolean {
  return isWithin(inner.path, outer.path) && isWithin(inner.target, outer.target)
}
