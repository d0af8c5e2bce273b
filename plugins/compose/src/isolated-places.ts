import { chmod, mkdir, mkdtemp, realpath, stat, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

import { isInside } from './paths.js'
import { isOfTheSystem } from './watch.js'

/** Sockets by which a program commands the host, wherever they lie. */
const commandSocket = /(?:docker|podman|containerd|crio|buildkitd)\.sock$/

/**
 * - `restored`, `empty`: something below the scratch folder, by its real path
 * - `host`: nothing can stand for it: it is part of the host
 */
export type Place = { readonly is: 'restored' | 'empty'; readonly path: string } | { readonly is: 'host'; readonly reason: string }

/** Where the paths and volumes of a rehearsal are. Whatever is asked for, the answer lies below the scratch folder. */
export class Places {
  readonly #directory: string
  readonly #restored: readonly (readonly [string, string])[]
  readonly #empty = new Map<string, Promise<string>>()

  /** @param directory real */
  constructor(directory: string, restored: ReadonlyMap<string, string>) {
    this.#directory = directory
    // The deepest first: what was restored on its own counts before what was restored with a folder above.
    this.#restored = [...restored].sort(([one], [other]) => other.length - one.length)
  }

  /** For what was mounted from this path of the host. */
  async ofPath(original: string): Promise<Place> {
    if (commandSocket.test(original)) return { is: 'host', reason: `the socket ${original}` }
    const kind = await kindOf(original)
    if (kind === 'special') return { is: 'host', reason: `${original}, a socket or a device of the host` }
    const found = await this.#find(original)
    if (found?.isSpecial === true) return { is: 'host', reason: `${original}, a socket or a device` }
    if (found !== null) return { is: 'restored', path: found.path }
    if (isOfTheSystem(original)) return { is: 'host', reason: `the host's own ${original}` }
    return { is: 'empty', path: await this.emptyFor(original, kind === 'file' ? 'file' : 'folder') }
  }

  /** For a volume whose data lay there; `key` tells those apart of which nothing is known. */
  async ofVolume(original: string, key: string): Promise<Place> {
    const found = original === '' ? null : await this.#find(original)
    return found === null || found.isSpecial ? { is: 'empty', path: await this.emptyFor(`volume ${key}`, 'folder') } : { is: 'restored', path: found.path }
  }

  /** The same one each time for the same key. Whoever the container's user is, he may write there, as into a volume of his own. */
  emptyFor(key: string, kind: 'file' | 'folder'): Promise<string> {
    const known = this.#empty.get(key)
    if (known !== undefined) return known
    const made = make(this.#directory, kind)
    this.#empty.set(key, made)
    return made
  }

  /** A folder below a place; the place itself where there is none, or where a link leads out of it. */
  async partOf(place: string, subpath: string): Promise<string> {
    if (subpath === '') return place
    const real = await realpath(join(place, subpath)).catch(() => place)
    return isInside(real, place) ? real : place
  }

  /** Its real path. A link that leads out of the scratch folder leads to nothing. */
  async #find(original: string): Promise<{ readonly path: string; readonly isSpecial: boolean } | null> {
    for (const [from, to] of this.#restored) {
      if (!isInside(original, from)) continue
      try {
        const real = await realpath(join(to, relative(from, original)))
        if (!isInside(real, this.#directory) || real === this.#directory) continue
        return { path: real, isSpecial: (await kindOf(real)) === 'special' }
      } catch {
        // Not restored: a place above may have it.
      }
    }
    return null
  }
}

async function make(directory: string, kind: 'file' | 'folder'): Promise<string> {
  // Whatever was restored beside it, and by another rehearsal in the same place: the name is new.
  const path = join(await mkdtemp(join(directory, 'empty-')), kind)
  if (kind === 'file') await writeFile(path, '')
  else await mkdir(path)
  // In two steps, since the mask of this process would count.
  await chmod(path, kind === 'file' ? 0o666 : 0o777)
  return realpath(path)
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'special' | 'absent'> {
  try {
    const found = await stat(path)
    return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'special'
  } catch {
    return 'absent'
  }
}
