import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

import { StackbkError } from '../../errors.js'
import { isDiskMounted, knownRepository } from '../repository-memory.js'

/** Tells what an unfinished restore is. It goes when all is in place and has been looked at. */
export const markerName = 'stackbk-restore.json'

export interface RestoreMarker {
  readonly schemaVersion: 1
  readonly what: string
  readonly source: string
  readonly startedAt: string
}

export interface RestoreTarget {
  readonly path: string
  /** An earlier restore from the same source was cut short here. */
  readonly isResumed: boolean
  /** A repository is here: only what it lacks comes, and nothing that it has given up. */
  readonly isMerge: boolean
}

/**
 * Where the repository goes: the path asked for; else the configured place if nothing is there; else a dated folder beside
 * it. A restore that was cut short is found again and gone on with. A repository is gone into only where its path is asked for.
 *
 * Throws `usage` for a path that holds something else, `guard` for a known place whose disk is not mounted.
 */
export function chooseTarget(request: {
  readonly asked: string | undefined
  readonly configured: string | null
  readonly source: string
  readonly repositoriesFolder: string
  /** Whether a repository of the engine's kind is in this folder, by what is there. */
  readonly isRepository: (path: string) => boolean
  readonly now: Date
}): RestoreTarget {
  const { asked, configured, source } = request
  if (asked !== undefined) return checked(resolve(asked), request)
  if (configured === null) {
    throw new StackbkError({ kind: 'usage', message: 'there is no place to restore to', fix: 'Name a folder: stackbk restore PATH' })
  }
  if (isFree(configured) || markerIn(configured)?.source === source) return checked(configured, request)
  const begun = foldersBeside(configured).find((path) => markerIn(path)?.source === source)
  if (begun !== undefined) return { path: begun, isResumed: true, isMerge: false }
  const date = request.now.toISOString().slice(0, 19).replaceAll(':', '-')
  return checked(`${configured}-restored-${date}`, request)
}

function checked(path: string, { source, repositoriesFolder, isRepository }: { readonly source: string; readonly repositoriesFolder: string; readonly isRepository: (path: string) => boolean }): RestoreTarget {
  const known = knownRepository(repositoriesFolder, path)
  if (known !== null && !isDiskMounted(known, path)) {
    throw new StackbkError({
      kind: 'guard',
      code: 'disk-not-mounted',
      message: `${path} is on another file system than the repository that was there`,
      detail: 'its disk is probably not mounted',
      fix: 'Mount it, or a new one in its place; or restore to another folder: stackbk restore PATH. No flag overrides this',
    })
  }
  if (isFree(path)) return { path, isResumed: false, isMerge: false }
  const marker = markerIn(path)
  if (marker?.source === source) return { path, isResumed: true, isMerge: false }
  if (marker === null && isRepository(path)) return { path, isResumed: false, isMerge: true }
  throw new StackbkError({
    kind: 'usage',
    code: 'target-not-empty',
    message: `${path} is not empty`,
    detail: marker === null ? 'it holds something else, which a restore would mix with' : `a restore from ${marker.source} was begun there`,
    fix: 'Name an empty or a new folder: stackbk restore PATH',
  })
}

/** A new disk's root is not empty: ext4 puts this there. */
const ownOfFileSystem = 'lost+found'

/** A restore that was killed while it wrote its marker had done nothing else yet. */
const halfMarker = /^\.stackbk-restore\.json\.[0-9a-f]+\.tmp$/

function isFree(path: string): boolean {
  try {
    return readdirSync(path).every((name) => name === ownOfFileSystem || halfMarker.test(name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw new StackbkError({ kind: 'usage', code: 'target-unusable', message: `${path} cannot be restored to`, detail: (error as Error).message, fix: 'Name an empty or a new folder: stackbk restore PATH' })
  }
}

function markerIn(path: string): RestoreMarker | null {
  try {
    return JSON.parse(readFileSync(join(path, markerName), 'utf8')) as RestoreMarker
  } catch {
    return null
  }
}

function foldersBeside(path: string): string[] {
  const folder = dirname(path)
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(`${basename(path)}-restored-`))
      .map((name) => join(folder, name))
      .filter((candidate) => statSync(candidate).isDirectory())
      .sort()
  } catch {
    return []
  }
}
