import { watch, type Dirent, type FSWatcher } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'

import { pathFromBytes, pathToBytes } from '@stackbk/contract'

import { freeWatches, watchLimit, watchLimitName } from './inotify-watches.js'

/** So many names are kept for the report; more say nothing new. */
const keptNames = 100

/** A walk through more folders than this is given up: the kernel keeps each of them in memory. */
const mostFolders = 100_000

/** How long the walk through the folders may take. */
const walkLimitMs = 60_000

/** Of the watches that are free the rest stays for other programs. Theirs are asked for only by who needs more than a quarter of all. */
const greatestShare = 0.9

/** How many watches are removed at a time: a stack is started meanwhile, and must not wait for it. */
const closedAtOnce = 64

const separator = Buffer.from('/')

/** What changed between {@link ChangeWatch.begin} and {@link ChangeWatch.end}. */
export interface WatchedChanges {
  /** Paths of files and folders that were written to, added, removed, renamed or given other attributes. At most 100. */
  readonly changed: readonly string[]
  /** Folders that appeared so late that they were not watched from the beginning. */
  readonly late: readonly string[]
  /** Why there may be more changes than these; `null` where there are not. */
  readonly doubt: string | null
}

/** What the kernel lets this user's programs watch together, and what of it they leave free. */
export interface AvailableWatches {
  readonly limit: number
  free(): Promise<number>
}

type Phase = 'before' | 'begun' | 'within' | 'over'

/**
 * Watches all folders at or below some paths for changes, through the kernel's notifications (inotify). It sees every change that
 * a program of this host makes through a file descriptor or to an entry, on every file system, whatever the clock says and
 * however often a file is changed. It does not see writes through a memory map, nor those through another hard link that lies
 * elsewhere.
 */
export class ChangeWatch {
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #isIgnored: (path: string) => boolean
  readonly #changed = new Set<string>()
  readonly #late = new Set<string>()
  readonly #walks = new Set<Promise<void>>()
  readonly #watches: AvailableWatches
  #limit: number
  #raised: Promise<void> | null = null
  #isBoundByKernel = true
  #phase: Phase = 'before'
  #doubt: string | null = null
  #ending: Promise<void> | null = null

  private constructor(isIgnored: (path: string) => boolean, watches: AvailableWatches) {
    this.#isIgnored = isIgnored
    this.#watches = watches
    this.#limit = Math.min(mostFolders, Math.floor(watches.limit / 4))
    this.#isBoundByKernel = this.#limit < mostFolders
  }

  /**
   * Watches from before the answer on. What cannot be watched is a doubt of the result. Never throws.
   *
   * @param isIgnored these paths are not reported, and not entered
   */
  static async of(paths: readonly string[], isIgnored: (path: string) => boolean = () => false, watches: AvailableWatches = { limit: watchLimit(), free: freeWatches }): Promise<ChangeWatch> {
    const made = new ChangeWatch(isIgnored, watches)
    const limit = AbortSignal.timeout(walkLimitMs)
    const walk = Promise.all(paths.map((path) => made.#enter(Buffer.from(pathToBytes(path)), limit)))
    const givenUp = new Promise<void>((resolve) => limit.addEventListener('abort', () => resolve(made.#doubtThat(`not all of its folders could be looked at within ${walkLimitMs / 1000} s`)), { once: true }))
    await Promise.race([walk, givenUp])
    return made
  }

  /** From now on changes count. What the kernel has reported until now, and was not delivered yet, does not. */
  begin(): void {
    if (this.#phase !== 'before') return
    this.#phase = 'begun'
    void this.#delivered().then(() => {
      if (this.#phase === 'begun') this.#phase = 'within'
    })
  }

  /** Changes from now on do not count any more. */
  end(): Promise<void> {
    this.#ending ??= this.#delivered().then(() => {
      this.#phase = 'over'
      return this.#close()
    })
    return this.#ending
  }

  /** Whether it does not see every change: something could not be watched. */
  get isIncomplete(): boolean {
    return this.#doubt !== null
  }

  /** Whether this folder, or this single file, is watched by now. */
  isWatching(path: string): boolean {
    return this.#watchers.has(Buffer.from(pathToBytes(path)).toString('latin1'))
  }

  /** Ends it, if it has not ended, and returns what it saw. */
  async result(): Promise<WatchedChanges> {
    await this.end()
    await Promise.allSettled(this.#walks)
    return { changed: [...this.#changed], late: [...this.#late], doubt: this.#doubt }
  }

  /** Two turns of the event loop: between them it has read all that the kernel had to report when this was called. */
  async #delivered(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  async #enter(path: Buffer, limit?: AbortSignal): Promise<void> {
    const waiting: { readonly path: Buffer; readonly isRoot: boolean }[] = [{ path, isRoot: true }]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (this.#phase === 'over' || limit?.aborted === true || this.#doubt !== null) return
      let entries: Dirent<Buffer>[] = []
      if (this.#watchers.size >= this.#limit) await (this.#raised ??= this.#raiseLimit())
      try {
        if (next.isRoot && !(await lstat(next.path)).isDirectory()) this.#watch(next.path, null)
        else {
          // Watched first: what is added while it is listed is reported.
          await lstat(next.path)
          this.#watch(next.path, next.path)
          entries = await readdir(next.path, { encoding: 'buffer', withFileTypes: true })
        }
      } catch (error) {
        if (!isGone(error)) this.#doubtThat(`${next.path.toString()} cannot be watched for changes: ${reasonOf(error)}`)
        continue
      }
      for (const entry of entries) {
        const path = Buffer.concat([next.path, separator, entry.name])
        if (entry.isDirectory() && !this.#isIgnored(path.toString())) waiting.push({ path, isRoot: false })
      }
    }
  }

  async #raiseLimit(): Promise<void> {
    const own = this.#watchers.size
    const allowed = own + Math.floor((await this.#watches.free()) * greatestShare)
    this.#limit = Math.max(this.#limit, Math.min(mostFolders, allowed))
    this.#isBoundByKernel = this.#limit < mostFolders
  }

  /** @param folder `null`: the path is a file */
  #watch(path: Buffer, folder: Buffer | null): void {
    const key = path.toString('latin1')
    if (this.#watchers.has(key)) return
    if (this.#watchers.size >= this.#limit) return this.#doubtThat(`it has more than ${this.#limit} folders, too many to watch for changes${this.#isBoundByKernel ? ` with the present ${watchLimitName}` : ''}`)
    const watcher = watch(path, { persistent: false, encoding: 'buffer' }, (event, name) => this.#onChange(path, folder === null ? null : name, event === 'rename'))
    watcher.on('error', (error) => this.#doubtThat(`${path.toString()} cannot be watched for changes: ${reasonOf(error)}`))
    this.#watchers.set(key, watcher)
  }

  #onChange(path: Buffer, name: Buffer | null, isEntry: boolean): void {
    if (this.#phase === 'over') return
    // What happens to the folder itself is reported with its own name.
    const isItself = name === null || name.equals(path.subarray(path.lastIndexOf(separator) + 1))
    const changed = isItself ? path : Buffer.concat([path, separator, name])
    if (this.#isIgnored(changed.toString())) return
    if (this.#phase === 'within' && this.#changed.size < keptNames) this.#changed.add(changed.toString())
    if (isEntry && name !== null) this.#follow(Buffer.concat([path, separator, name]))
  }

  /** A folder that was made or moved here has to be watched too. */
  #follow(path: Buffer): void {
    const walk = (async () => {
      const stats = await lstat(path).catch(() => null)
      if (stats?.isDirectory() !== true) return
      const isLate = this.#phase !== 'before'
      this.#unwatch(path)
      await this.#enter(path)
      if (isLate || this.#phase !== 'before') this.#late.add(pathFromBytes(path))
    })()
    this.#walks.add(walk)
    void walk.finally(() => this.#walks.delete(walk))
  }

  /** Under these paths other folders may be watched, which are somewhere else by now. */
  #unwatch(path: Buffer): void {
    const key = path.toString('latin1')
    for (const [watched, watcher] of this.#watchers) {
      if (watched !== key && !watched.startsWith(`${key}/`)) continue
      watcher.close()
      this.#watchers.delete(watched)
    }
  }

  #doubtThat(reason: string): void {
    this.#doubt ??= reason
    void this.#close()
  }

  async #close(): Promise<void> {
    const watchers = [...this.#watchers.values()]
    this.#watchers.clear()
    while (watchers.length > 0) {
      for (const watcher of watchers.splice(-closedAtOnce)) watcher.close()
      if (watchers.length > 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' ? `the limit of ${watchLimitName} is reached` : (code ?? message)
}
