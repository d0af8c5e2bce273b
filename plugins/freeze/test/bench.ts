import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Answer, Descriptor, Exec, Failure, Freezer } from '@stackbk/contract'
import { btrfs, reflink } from '@stackbk/plugin-freeze'
import { createExec } from '@stackbk/tool-runner'

/** Mounting needs root and loop devices. `scripts/test` runs as root in CI, so there nothing is left out. */
export const canMount = process.geteuid?.() === 0 && existsSync('/dev/loop-control')

if (!canMount) process.stderr.write('plugins/freeze: NOT TESTED here, since file systems can be mounted only by root and with loop devices\n')

export type FileSystem = 'btrfs' | 'xfs'

/** Both are larger than mkfs.xfs's least size; the files are sparse. */
const imageBytes = 1024 ** 3

/** A place for a test's file systems; `close` unmounts whatever is still mounted below. */
export class Bench {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'stackbk-freeze-')))
  #images = 0

  /** Makes a new file system of this kind and mounts it at a new folder. */
  fileSystem(type: FileSystem, { flags = [] }: { readonly flags?: readonly string[] } = {}): string {
    const image = join(this.folder, `image-${this.#images}`)
    const point = join(this.folder, `${type}-${this.#images}`)
    this.#images += 1
    writeFileSync(image, '')
    truncateSync(image, imageBytes)
    mkdirSync(point)
    tool(`mkfs.${type}`, '-q', ...flags, image)
    tool('mount', '-o', 'loop', image, point)
    return point
  }

  /** An empty folder on the file system of the temporary folder. */
  plainFolder(name = 'plain'): string {
    const folder = join(this.folder, name)
    mkdirSync(folder)
    return folder
  }

  mount(...args: readonly string[]): void {
    tool('mount', ...args)
  }

  close(): void {
    for (let left = this.#mounted(); left.length > 0; left = this.#mounted()) {
      // The last mounted lies over the others. What is still in use (a test that was cut short) goes when it no longer is.
      tool('umount', '--lazy', left.at(-1) ?? '')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  #mounted(): readonly string[] {
    return tool('findmnt', '--noheadings', '--list', '--output', 'TARGET')
      .split('\n')
      .map((line) => line.trim())
      .filter((point) => point.startsWith(`${this.folder}/`))
  }
}

/** Runs a tool to its end and gives what it wrote. Throws with its words when it fails. */
export function tool(file: string, ...args: readonly string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, LC_ALL: 'C' } })
}

const descriptors = { btrfs, reflink }
export type Method = keyof typeof descriptors

export async function freezerOf(method: Method, { exec = createExec(), dryRun = false }: { readonly exec?: Exec; readonly dryRun?: boolean } = {}): Promise<Freezer> {
  const descriptor: Descriptor<'freezer'> = descriptors[method]
  return descriptor.create({}, { signal: new AbortController().signal, log: () => {}, exec, dryRun, cacheDir: join(tmpdir(), 'stackbk-no-cache') })
}

/** The value of a good answer; a failed one fails the test, with its own words. */
export function valueOf<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value
  throw new Error(`${answer.failure.kind}: ${answer.failure.message}\n${answer.failure.toolOutput ?? ''}`)
}

export function failureOf(answer: Answer<unknown>): Failure {
  if (!answer.ok) return answer.failure
  throw new Error(`expected a failure, got ${JSON.stringify(answer.value)}`)
}
