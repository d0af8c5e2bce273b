import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { failed, hasRawBytes, type Answer, type Engine, type RestoreResult } from '@stackbk/contract'

import { errorFrom, problemFrom, StackbkError } from '../../errors.js'
import { fsPath } from '../../host/file-names.js'
import { makeFolder } from '../../host/make-folder.js'
import type { Run } from '../run.js'
import type { ChosenSnapshot } from './choice.js'
import { freeBytes } from './file-systems.js'
import type { RecoveredStack } from './recover-result.js'
import { assertFits } from './room.js'
import { heldPath, type HeldPath } from './held-path.js'
import { isThere } from './moves.js'

export interface ExtractRequest {
  readonly chosen: readonly ChosenSnapshot[]
  readonly target: string
  /** Only this; undefined: all. */
  readonly path: string | undefined
  readonly overwrite: boolean
  readonly ignoreSpace: boolean
}

/**
 * Files out of snapshots to below a folder, and nothing else: whole snapshots at their full paths, a single file or folder right
 * in it. Throws `usage` for a folder that holds something, `guard` for want of room.
 */
export async function extractOnly(run: Run, engine: Engine, request: ExtractRequest): Promise<readonly RecoveredStack[]> {
  const { chosen, target, overwrite } = request
  if (!overwrite) assertFree(target)
  const wanted = await Promise.all(chosen.map(async (one) => ({ ...one, held: request.path === undefined ? null : await heldPath(engine, one, request.path, run.signal) })))
  if (!request.ignoreSpace) assertFits([{ path: target, needed: wanted.reduce((sum, { held, snapshot }) => sum + (held?.bytes ?? snapshot.bytes ?? 0), 0), free: freeBytes(target) }], 'Free space there, or name another folder; where files have holes, which take none, add --ignore-space')
  if (run.dryRun) return wanted.map((one) => reportOf(one, target, { status: 'ok' }))
  run.reporter.stacks(chosen.map(({ stack }) => stack))
  const stacks: RecoveredStack[] = []
  for (const one of wanted) {
    const stack = run.signal.aborted ? reportOf(one, target, { status: 'skipped' }) : await extract(run, engine, one, target)
    stacks.push(stack)
    run.reporter.stackDone(stack.name, { status: stack.status, summary: stack.problems[0]?.message ?? '' })
  }
  return stacks
}

async function extract(run: Run, engine: Engine, one: ChosenSnapshot & { readonly held: HeldPath | null }, target: string): Promise<RecoveredStack> {
  try {
    makeFolder(target)
  } catch (error) {
    throw errorFrom({ kind: 'usage', message: `${target} cannot be made`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'Name another folder' })
  }
  const { held, snapshot, stack } = one
  const restore = (into: string, subfolder: string): Promise<Answer<RestoreResult>> => engine.restore({
    snapshot: snapshot.id,
    target: into,
    include: held === null ? [] : [held.path],
    subfolder,
    deleteExtra: false,
    sparse: true,
    verify: false,
    signal: run.signal,
    onProgress: (progress) => run.reporter.stackPhase(stack, 'extracting', progress),
  })
  const came = held !== null && hasRawBytes(held.path) ? await extractExactly(held.path, target, restore) : await restore(target, held === null ? '' : folderAbove(held.path))
  if (came.ok) return reportOf(one, target, { status: 'ok', files: one.held?.files ?? came.value.files, bytes: one.held?.bytes ?? came.value.bytes })
  return reportOf(one, target, { status: 'failed', problems: [problemFrom(came.failure, { stack: one.stack })] })
}

/** Of what matches a path that no argument can hold, others come out as well: so it comes out to a folder of our own, and is taken from there. */
async function extractExactly(path: string, target: string, restore: (into: string, subfolder: string) => Promise<Answer<RestoreResult>>): Promise<Answer<RestoreResult>> {
  const name = join(target, basename(path))
  if (isThere(name)) return failed({ kind: 'usage', message: `${name} is there already`, fix: 'Name an empty or a new folder' })
  let subfolder = folderAbove(path)
  while (hasRawBytes(subfolder)) subfolder = folderAbove(subfolder)
  const staging = mkdtempSync(join(target, '.stackbk-extract-'))
  try {
    const came = await restore(staging, subfolder)
    if (came.ok) renameSync(fsPath(join(staging, path.slice(subfolder.length))), fsPath(name))
    return came
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** The folder that a path lies in, empty for the root. */
function folderAbove(path: string): string {
  const folder = dirname(path)
  return folder === '/' ? '' : folder
}

function reportOf({ stack, snapshot }: ChosenSnapshot, directory: string, more: Pick<RecoveredStack, 'status'> & Partial<RecoveredStack>): RecoveredStack {
  return { name: stack, directory: join(directory), snapshotId: snapshot.id, files: 0, bytes: 0, started: false, healthy: false, changes: null, problems: [], ...more }
}

/** Throws `usage` for a folder that holds something, or cannot be looked into. */
export function assertFree(target: string): void {
  if (!isFree(target)) throw new StackbkError({ kind: 'usage', code: 'target-not-empty', message: `${target} is not empty`, detail: 'the extracted files would mix with those that are there', fix: 'Name an empty or a new folder, or add --overwrite' })
}

function isFree(path: string): boolean {
  try {
    return readdirSync(path).length === 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw new StackbkError({ kind: 'usage', code: 'target-unusable', message: `${path} cannot be extracted to`, detail: (error as Error).message, fix: 'Name an empty or a new folder' })
  }
}
