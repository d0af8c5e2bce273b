import { type PossibleWriter, type WatchReport } from '@stackbk/contract'

import type { Configuration } from '../../config/configuration.js'
import { ChangeWatch } from '../../host/change-watch.js'
import { changedWithin } from '../../host/file-times.js'
import { filesMappedBy } from '../../host/mapped-files.js'
import { isWithin } from '../../host/mounts.js'
import { ProcessWrites } from '../../host/process-writes.js'
import { isOwnFolder } from '../own-folders.js'
import type { Run } from '../run.js'
import { withoutNested } from './coverage.js'
import { excludeFilterOf } from './excludes.js'
import { globPattern } from './glob-pattern.js'
import type { StackPlan } from './stack-plan.js'

/** On a container that never writes to what stackbk backs up, though its mounts would let it. */
export const ignoreLabel = 'stackbk.ignore-writer'

/** A container of elsewhere that was started while the stack was read. */
export type StartedWriter = WatchReport['starts'][number]

/** What came of the check. The snapshot is at rest if nothing changed and nothing is unclear. */
export interface WriterVerdict {
  /** Names of the containers that might have written. */
  readonly writers: readonly string[]
  /** Paths that changed while the stack was read. */
  readonly changed: readonly string[]
  /** Why it cannot be known whether something else changed; `null` where it is known. */
  readonly doubt: string | null
}

/** Returns the containers of elsewhere that run and can write to what the snapshot will hold, each once, without those that are to be ignored. */
export function possibleWriters(plan: Pick<StackPlan, 'stack' | 'sources' | 'paths'>, configuration: Pick<Configuration, 'stack'>): readonly PossibleWriter[] {
  const found = new Map<string, PossibleWriter>()
  for (const source of plan.sources.filter(({ path }) => plan.paths.some((held) => isWithin(path, held)))) {
    const writers = source.possibleWriters ?? source.otherUsers.map((name): PossibleWriter => ({ id: '', name, image: '', labels: {}, paths: [source.path] }))
    for (const writer of writers) {
      const known = found.get(writer.name)
      found.set(writer.name, { ...writer, paths: [...new Set([...(known?.paths ?? []), ...writer.paths])] })
    }
  }
  const { ignoreWriters } = configuration.stack(plan.stack.name)
  return [...found.values()].filter((writer) => !isIgnoredWriter(writer, ignoreWriters))
}

/** A pattern is compared with the container's name, and with its image with and without the tag or digest. */
export function isIgnoredWriter({ name, image, labels }: Omit<PossibleWriter, 'id' | 'paths'>, patterns: readonly string[]): boolean {
  if (['true', '1', 'yes', 'on'].includes((labels[ignoreLabel] ?? '').trim().toLowerCase())) return true
  const withoutDigest = image.replace(/@.*$/, '')
  const names = [name, image, withoutDigest, withoutDigest.replace(/:[^:/]*$/, '')].filter((text) => text !== '')
  return patterns.some((pattern) => names.some((text) => globPattern(pattern).test(text)))
}

/**
 * Finds out whether anything changed in a stack's data while it was read, where containers of elsewhere could have changed it
 * (docs/decisions/who-writes.md). Costs nothing where there are none.
 */
export class WriterCheck {
  readonly #run: Run
  readonly #plan: StackPlan
  readonly #writers: readonly PossibleWriter[]
  readonly #paths: readonly string[]
  readonly #watch: ChangeWatch | null
  /** Where the watch does not see everything. */
  readonly #writes: ProcessWrites | null
  #from = 0
  #until = 0

  private constructor(run: Run, plan: StackPlan, parts: { readonly writers: readonly PossibleWriter[]; readonly paths: readonly string[]; readonly watch: ChangeWatch | null; readonly writes: ProcessWrites | null }) {
    this.#run = run
    this.#plan = plan
    this.#writers = parts.writers
    this.#paths = parts.paths
    this.#watch = parts.watch
    this.#writes = parts.writes
  }

  /** Prepares it, before the stack is stopped. Never throws. */
  static async of(run: Run, plan: StackPlan): Promise<WriterCheck> {
    const writers = possibleWriters(plan, run.configuration)
    const paths = withoutNested(writers.flatMap((writer) => writer.paths))
    const isIgnored = await ignoredPaths(run, plan)
    const watch = paths.length === 0 ? null : await ChangeWatch.of(paths, isIgnored)
    const writes = watch?.isIncomplete === true ? await ProcessWrites.of(writers.map(({ id }) => id)) : null
    return new WriterCheck(run, plan, { writers, paths, watch, writes })
  }

  /** Whether it still fits: the writers and what they reach are those it was prepared for. */
  fits(plan: StackPlan): boolean {
    const paths = withoutNested(possibleWriters(plan, this.#run.configuration).flatMap((writer) => writer.paths))
    return paths.join('\0') === this.#paths.join('\0')
  }

  /** The reading begins. */
  begin(): void {
    if (this.#from !== 0) return
    this.#from = Date.now()
    this.#watch?.begin()
    this.#writes?.begin()
  }

  /** The reading is over, and nothing of the stack has been started yet. */
  end(): void {
    if (this.#until !== 0) return
    this.#until = Date.now()
    this.#writes?.end()
    void this.#watch?.end()
  }

  async close(): Promise<void> {
    await this.#watch?.end()
  }

  /** To be asked when the stack runs again. Never throws. */
  async verdict(started: readonly StartedWriter[]): Promise<WriterVerdict> {
    this.end()
    const { ignoreWriters } = this.#run.configuration.stack(this.#plan.stack.name)
    const late = started.filter(({ container, writer }) => !this.#writers.some(({ name }) => name === container) && !isIgnoredWriter(writer ?? { name: container, image: '', labels: {} }, ignoreWriters))
    const writers = [...new Set([...this.#writers.map(({ name }) => name), ...late.map(({ container }) => container)])]
    if (writers.length === 0 || this.#from === 0) return { writers, changed: [], doubt: null }
    const seen = await this.#changes(late.length > 0)
    if (seen.changed.length > 0 || seen.doubt !== null) return { writers, ...seen }
    return { writers, changed: [], doubt: await this.#mapped([...this.#writers.map(({ id }) => id), ...late.flatMap(({ writer }) => writer?.id ?? [])], late.length > 0) }
  }

  /** @param reachesAll a container that was started meanwhile may reach all of it */
  async #changes(reachesAll: boolean): Promise<Pick<WriterVerdict, 'changed' | 'doubt'>> {
    const watched = await this.#watch?.result()
    if (watched !== undefined && watched.changed.length > 0) return { changed: watched.changed, doubt: null }
    const isWatched = (path: string): boolean => watched?.doubt === null && this.#paths.some((one) => isWithin(path, one))
    const unwatched = (reachesAll ? withoutNested([...this.#plan.paths, ...this.#paths]) : this.#paths).filter((path) => !isWatched(path))
    const paths = [...unwatched, ...(watched?.late ?? [])]
    if (paths.length === 0) return { changed: [], doubt: null }
    const isIgnored = await ignoredPaths(this.#run, this.#plan)
    const { during, later, doubt } = await changedWithin(paths, { from: this.#from, until: this.#until }, this.#run.signal)
    const [changed, after] = [during.filter((path) => !isIgnored(path)), later.filter((path) => !isIgnored(path))]
    if (changed.length > 0) return { changed, doubt: null }
    const because = watched?.doubt ?? 'it was not known before that something could write to it'
    if (doubt !== null) return { changed: [], doubt: `${because}, and ${doubt}` }
    if (after.length === 0 || unwatched.length === 0) return { changed: [], doubt: null }
    if (!reachesAll && (await this.#writes?.wroteNothing()) === true) return { changed: [], doubt: null }
    return { changed: [], doubt: `${because}, and ${named(after)} changed afterwards, which hides earlier changes` }
  }

  async #mapped(containers: readonly string[], reachesAll: boolean): Promise<string | null> {
    const files = await filesMappedBy(containers, reachesAll ? withoutNested([...this.#plan.paths, ...this.#paths]) : this.#paths)
    return files.length === 0 ? null : `${named(files.map(({ path }) => path))} is mapped into the memory of another container, whose writes leave no trace`
  }
}

/** Returns up to three of the paths, as text that fits into a sentence. */
export function named(paths: readonly string[]): string {
  const shown = paths.slice(0, 3).map((path) => path.replaceAll(/\p{Cc}/gu, '?'))
  return paths.length > shown.length ? `${shown.join(', ')} and ${paths.length - shown.length} more` : shown.join(', ')
}

/** Returns whether the snapshot does not hold a path, or stackbk itself writes it. */
async function ignoredPaths(run: Run, plan: StackPlan): Promise<(path: string) => boolean> {
  const engine = await run.engine()
  const repository = engine.location().path
  // What does not answer is not read either, and would hold up the look at all else.
  const own = [run.state.root, ...(repository === null ? [] : [repository]), ...plan.unansweredPaths]
  const isExcluded = excludeFilterOf(engine, plan.excludes, plan.paths)
  return (path) => isOwnFolder(path) || own.some((folder) => isWithin(path, folder)) || isExcluded(path)
}
