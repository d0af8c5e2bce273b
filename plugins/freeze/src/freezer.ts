import { statSync } from 'node:fs'
import { join } from 'node:path'

import { answered, done, failed, frozenFolderName, type Answer, type BindMount, type CallOptions, type Freezer, type ProviderContext } from '@stackbk/contract'

import { examine, readiness } from './examine.js'
import { frozenFoldersAt, labelProblem, makeFrozenFolder, ownership, removeFrozenFolder, removeHiddenFolderIfEmpty, rootsFor } from './frozen-folder.js'
import type { Method, Work } from './method.js'
import { isWithin, MountTable } from './mounts.js'
import { placementOf, type Share } from './placement.js'
import { sourcesOf, unsupported } from './sources.js'
import { createTools } from './tools.js'

/** How long what waits in memory may take to get to disk before the stop. */
const settleLimitMs = 120_000

/** A freezer that makes its copies by this method. Runs nothing yet. */
export function createFreezer(method: Method, context: ProviderContext): Freezer {
  const tools = createTools(context.exec)
  const work = (options: CallOptions = {}): Work => ({ tools, mounts: MountTable.now(), signal: options.signal })
  let known: Promise<Answer<void>> | null = null
  const ready = (): Promise<Answer<void>> => (known ??= readiness(method, tools))

  return {
    keepsChangeTimes: method.keepsChangeTimes,
    ready: async () => ready(),
    examine: async (options) => examine(method, tools, MountTable.now(), options?.signal),
    close: async () => {},

    async canFreeze(paths, options) {
      return asUnsupported(
        await foreseen('looking at the file systems', async () => {
          const here = work(options)
          // Most stacks lie on other file systems: for those no tool is asked for its version.
          const shares = await sharesOf(method, paths, here.mounts)
          if (!shares.ok) return shares
          const isReady = await ready()
          return isReady.ok ? method.check(shares.value.flatMap(({ sources }) => sources), here) : isReady
        }),
      )
    },

    async settle(paths, options) {
      return foreseen('writing to disk what is in memory', async () => {
        const { mounts, signal } = work(options)
        const shares = await sharesOf(method, paths, mounts)
        if (!shares.ok) return shares
        const onePathOfEach = [...new Map(shares.value.flatMap(({ sources }) => sources).map(({ mount, path }) => [mount.device, path])).values()]
        const answers = await Promise.all(
          onePathOfEach.map((path) => tools.run({ file: 'sync', args: ['--file-system', '--', path], what: `writing to disk what is in memory for ${path}`, signal, timeoutMs: settleLimitMs })),
        )
        const failure = answers.find((answer) => !answer.ok)
        return failure === undefined || failure.ok ? done : failure
      })
    },

    async freeze(paths, { label, signal }) {
      if (context.dryRun) return failed({ kind: 'failed', message: 'a dry run freezes nothing' })
      const problem = labelProblem(label)
      if (problem !== null) return failed({ kind: 'usage', message: problem })
      if (signal?.aborted === true) return failed({ kind: 'cancelled', message: 'freezing was cancelled' })
      const folders: string[] = []
      const copied = await foreseen('freezing', async () => {
        const here = work({ ...(signal === undefined ? {} : { signal }) })
        const shares = await sharesOf(method, paths, here.mounts)
        return shares.ok ? copyShares({ method, shares: shares.value, label, folders, work: here }) : shares
      })
      if (copied.ok) return answered({ id: idOf(folders), bindMounts: inMountOrder(copied.value) })
      // However it ended: what was made goes, and is not cut short again.
      const removed = await removeAll(method, folders, work())
      return removed.ok ? copied : failed({ ...copied.failure, toolOutput: [copied.failure.toolOutput ?? '', `left behind: ${removed.failure.message}`, removed.failure.toolOutput ?? ''].filter((line) => line !== '').join('\n') })
    },

    async release({ id }, options) {
      if (context.dryRun) return failed({ kind: 'failed', message: 'a dry run removes nothing' })
      const folders = foldersOf(id)
      if (folders === null) return failed({ kind: 'usage', message: `'${id}' is not the ID of a copy made by ${method.id}` })
      return foreseen('removing the copy', () => removeAll(method, folders, work(options)))
    },

    async leftovers(paths) {
      return foreseen('looking for copies that were left behind', async () => {
        const byLabel = new Map<string, string[]>()
        for (const root of rootsFor(paths, MountTable.now())) {
          for (const { path, label } of frozenFoldersAt(root, method.id)) byLabel.set(label, [...(byLabel.get(label) ?? []), path])
          // One that a kill left before anything was in it is in nobody's notes.
          if (!context.dryRun) removeHiddenFolderIfEmpty(join(root, frozenFolderName))
        }
        return answered([...byLabel].map(([label, folders]) => ({ label, id: idOf(folders), bindMounts: [] })))
      })
    },
  }
}

async function sharesOf(method: Method, paths: readonly string[], mounts: MountTable): Promise<Answer<readonly Share[]>> {
  const sources = await sourcesOf(paths, mounts)
  if (!sources.ok) return sources
  const foreign = sources.value.find(({ mount }) => !method.fileSystems.includes(mount.type))
  if (foreign !== undefined) return unsupported(`${foreign.target} lies on ${foreign.mount.type}, and ${method.id} needs ${method.fileSystems.join(' or ')}`)
  return placementOf(sources.value, mounts, method)
}

/** Notes each folder in `folders` as soon as it is made. */
async function copyShares({ method, shares, label, folders, work }: { method: Method; shares: readonly Share[]; label: string; folders: string[]; work: Work }): Promise<Answer<readonly BindMount[]>> {
  const places: { readonly share: Share; readonly folder: string }[] = []
  for (const share of shares) {
    const before = statSync(share.root, { bigint: true })
    const folder = makeFrozenFolder(share.root, label, method.id)
    if (!folder.ok) return folder
    folders.push(folder.value)
    places.push({ share, folder: folder.value })
    if (share.around !== null) await resetModificationTime(share.root, before.mtimeNs, work)
  }
  const answers = await Promise.all(places.map(({ share, folder }) => foreseen('freezing', () => method.copy(share, folder, work))))
  const failure = answers.find((answer) => !answer.ok)
  return failure !== undefined && !failure.ok ? failure : answered(answers.flatMap((answer) => (answer.ok ? answer.value : [])))
}

/** The hidden folder was made in a folder that is itself copied, whose time is to be kept. Where that fails the copy is as good. */
async function resetModificationTime(path: string, nanoseconds: bigint, { tools, signal }: Work): Promise<void> {
  const [seconds, fraction] = [nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n]
  const date = `@${seconds}.${String(fraction).padStart(9, '0')}`
  await tools.run({ file: 'touch', args: ['--no-create', '-m', `--date=${date}`, '--', path], what: `keeping the time of ${path}`, signal })
}

async function removeAll(method: Method, folders: readonly string[], work: Work): Promise<Answer<void>> {
  const answers = await Promise.all(folders.map((folder) => foreseen(`removing ${folder}`, () => removeOne(method, folder, work))))
  return answers.find((answer) => !answer.ok) ?? done
}

async function removeOne(method: Method, folder: string, work: Work): Promise<Answer<void>> {
  const whose = ownership(folder, method.id)
  switch (whose.is) {
    case 'gone':
      return done
    case 'foreign':
      return failed({ kind: 'guard', message: `${folder} is not removed: ${whose.reason}`, fix: 'Look what it is, and remove it by hand' })
    case 'ours': {
      const emptied = await method.empty(folder, work)
      return emptied.ok ? removeFrozenFolder(folder) : emptied
    }
  }
}

/** A mount over a folder hides the copies in it: whatever is read from there has to be mounted before. */
function inMountOrder(mounts: readonly BindMount[]): readonly BindMount[] {
  const hides = ({ target }: BindMount): number => mounts.filter(({ source }) => isWithin(source, target)).length
  return mounts.toSorted((a, b) => hides(a) - hides(b) || a.target.length - b.target.length)
}

function idOf(folders: readonly string[]): string {
  return JSON.stringify(folders)
}

function foldersOf(id: string): readonly string[] | null {
  try {
    const folders: unknown = JSON.parse(id)
    return Array.isArray(folders) && folders.every((folder) => typeof folder === 'string') ? folders : null
  } catch {
    return null
  }
}

/** What the file system refuses is a failure in its own words. */
async function foreseen<T>(what: string, look: () => Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await look()
  } catch (error) {
    return failed({ kind: 'failed', message: `${what} failed: ${(error as Error).message}` })
  }
}

function asUnsupported(answer: Answer<void>): Answer<void> {
  if (answer.ok || answer.failure.kind === 'cancelled') return answer
  return failed({ ...answer.failure, kind: 'unsupported' })
}
