import type { Source } from '@stackbk/contract'

import { type Problem, StackbkError } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { readDirlist } from '../../stacks/dirlist.js'
import { dirlistPlace } from '../dirlist.js'
import type { Run } from '../run.js'

/** What a run or a resume reads and writes: the disks of these must be there. */
export interface ScheduleSources {
  /** Absolute, each once, sorted. */
  readonly paths: readonly string[]
  readonly problems: readonly Problem[]
}

/** Everything that the enabled stacks read or write, by the runtime's own word; where that is not to be had, their folders. */
export async function sourcesOf(run: Run): Promise<ScheduleSources> {
  const { stacksDirectory } = run.configuration.docker
  const enabled = readDirlist(dirlistPlace(run.configuration)).stacks.filter((stack) => stack.enabled)
  // As they are entered: of one whose disk is away there is no real path.
  const folders = enabled.flatMap(({ path, stack }) => (stack === null ? [path] : [path, stack.directory]))
  const binds = await bindsOf(run, enabled.flatMap(({ stack }) => (stack === null ? [] : [stack.directory])))
  const { path: repository } = (await run.engine()).location()
  const outside = binds.paths.filter((path) => !folders.some((folder) => isWithin(path, folder)))
  const paths = new Set([stacksDirectory, run.state.root, ...(repository === null ? [] : [repository]), ...folders, ...outside])
  return { paths: [...paths].toSorted(), problems: binds.problems }
}

/** Whether there is anywhere to copy to. */
export async function hasCloud(run: Run): Promise<boolean> {
  try {
    return (await run.transport()).location !== ''
  } catch (error) {
    if (error instanceof StackbkError) return false
    throw error
  }
}

/** Volumes are below the engine's own folder, and the units come after the engine. */
async function bindsOf(run: Run, directories: readonly string[]): Promise<ScheduleSources> {
  const found: Source[] = []
  try {
    const runtime = await run.runtime()
    const ready = await runtime.ready({ signal: run.signal })
    const states = ready.ok ? await runtime.inspect(directories, { signal: run.signal }) : ready
    if (!states.ok) return unknown(states.failure.message)
    for (const state of states.value) {
      const sources = await runtime.sources(state, { signal: run.signal })
      if (sources.ok) found.push(...sources.value)
    }
  } catch (error) {
    if (error instanceof StackbkError) return unknown(error.message)
    throw error
  }
  return { paths: found.filter(({ kind, canBeRead }) => canBeRead && (kind === 'bind' || kind === 'model-file')).map(({ path }) => path), problems: [] }
}

function unknown(reason: string): ScheduleSources {
  return { paths: [], problems: [{ severity: 'warning', code: 'sources-unknown', message: `the boot unit does not wait for the disks of bind mounts: ${reason}`, fix: 'When the engine answers, run again: stackbk schedule install' }] }
}
