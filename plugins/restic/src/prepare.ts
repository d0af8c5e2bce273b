import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import {
  answered,
  done,
  failed,
  type Answer,
  type CallOptions,
  type Failure,
  type PreparedSnapshot,
  type RunningTool,
  type SnapshotRequest,
  type SnapshotResult,
  type ToolResult,
} from '@stackbk/contract'
import { files, isUnknown } from '@stackbk/tool-runner/files'

import { createGate, type Gate } from './gate.js'
import { asNumber, asString, parseObject, type JsonObject } from './json.js'
import { excludedPathLines, patternLines } from './patterns.js'
import { patternsBelow } from './exclude-filter.js'
import { comeForward, standBack } from './priority.js'
import type { Restic } from './restic.js'
import { encodeTag } from './tags.js'
import { lastWords, wordsOf } from './words.js'

/** How often we look whether restic has come to the gate: in the downtime of nobody, but the stop begins only then. */
const pollMs = 5

/** Key derivation takes under a second; a far repository with many locks some more. */
const openLimitMs = 5 * 60_000

/** A restic that was told to give up removes its lock, which may be far away. */
const giveUpLimitMs = 30_000

const mostUnreadable = 100

/**
 * The two-phase snapshot (docs/decisions/two-phase-snapshot.md): restic opens and locks the repository, then waits at the {@link Gate} until it may
 * read the stack. Its snapshot carries the time of the first phase.
 *
 * @param limits in milliseconds, for the first phase
 */
export function prepareSnapshot(
  restic: Restic,
  request: SnapshotRequest,
  limits: { readonly openMs: number } = { openMs: openLimitMs },
): PreparedSnapshot {
  const what = `the snapshot of ${request.paths.join(', ')} could not be made`
  const run = new SnapshotRun()
  let running: RunningTool | null = null
  let gate: Gate | null = null
  let isAbandoned = false
  let hasEnded = false

  const begin = async (): Promise<Answer<void>> => {
    const refused = await refusal(restic, request)
    if (refused !== null) return failed(refused)
    const lines = patternLines(patternsBelow(request.excludes, request.paths))
    if (!lines.ok) return lines
    const made = await createGate(restic.exec, restic.ownFolder, [...excludedPathLines(request.excludePaths ?? [], request.paths), ...lines.value])
    if (!made.ok) return made
    gate = made.value
    if (isAbandoned) {
      gate.shut()
      return failed({ kind: 'cancelled', message: `${what}: it was given up` })
    }
    run.missing.push(...(await absentOf(request.paths)))
    running = startBackup(restic, request, gate, run)
    if (running.process !== null) standBack(running.process.pid)
    void running.result.then(() => {
      hasEnded = true
      // Only now may the descriptor's number be another's.
      gate?.shut()
    })
    return reachGate(running, gate)
  }

  const reachGate = async (tool: RunningTool, held: Gate): Promise<Answer<void>> => {
    const ended = tool.result.then(() => true)
    const deadline = performance.now() + limits.openMs
    while (!held.hasBeenReached()) {
      if (await Promise.race([ended, delay(pollMs, false)])) return failed(firstPhaseFailure(restic, await tool.result, what))
      if (performance.now() < deadline) continue
      await tool.stop()
      return failed({
        kind: 'timed-out',
        message: `the repository ${restic.place.display} did not open within ${Math.round(limits.openMs / 1000)} s`,
      })
    }
    return done
  }

  const abandon = async (): Promise<void> => {
    isAbandoned = true
    if (running === null) {
      await ready
      return
    }
    if (hasEnded) return
    if (!gate?.hasBeenReached()) {
      await running.stop()
      return
    }
    gate.shut()
    const gaveUp = await Promise.race([running.result.then(() => true), delay(giveUpLimitMs, false, { ref: false })])
    if (!gaveUp) await running.stop()
  }

  const take = async (options: CallOptions = {}): Promise<Answer<SnapshotResult>> => {
    const opened = await ready
    if (!opened.ok) return opened
    if (running === null || gate === null || isAbandoned) return failed({ kind: 'cancelled', message: `${what}: it was given up` })
    if (options.signal?.aborted) {
      await abandon()
      return failed({ kind: 'cancelled', message: `${what}: it was cancelled` })
    }
    const watch = watchSecondPhase({ tool: running, run, request, options })
    if (running.process !== null) comeForward(running.process.pid)
    gate.open()
    const result = await running.result
    watch.end()
    return snapshotAnswer({ ...result, outcome: watch.endedBecause() ?? result.outcome }, run, (ended) => restic.failureOf(ended, what))
  }

  // Providers answer; they do not throw: no temporary folder, no room in it.
  const ready = begin().catch(async (error: unknown): Promise<Answer<void>> => {
    await running?.stop()
    return failed({ kind: 'failed', message: what, toolOutput: error instanceof Error ? error.message : String(error) })
  })
  return { ready, take, abandon }
}

/** What restic tells while it makes a snapshot. */
class SnapshotRun {
  summary: JsonObject | null = null
  /** Paths that are not there. restic looks for them when it starts, and before 0.19 it ends well without them. */
  readonly missing: string[] = []
  readonly unreadable: string[] = []
  onStatus: (status: JsonObject) => void = () => {}

  readStdout(line: string): void {
    const message = parseObject(line)
    if (message?.['message_type'] === 'status') this.onStatus(message)
    if (message?.['message_type'] === 'summary') this.summary = message
  }

  readStderr(line: string): void {
    if (this.unreadable.length === mostUnreadable || parseObject(line)?.['message_type'] === 'exit_error') return
    const item = asString(parseObject(line)?.['item'])
    const said = wordsOf(line)
    const words = said === '' || said.includes(item) ? said : `${item}: ${said}`
    if (words !== '' && !this.unreadable.includes(words)) this.unreadable.push(words)
  }
}

/** The paths that are not there. What does not answer is there: it is shown as unreadable. */
async function absentOf(paths: readonly string[]): Promise<readonly string[]> {
  const verdicts = await Promise.all(paths.map((path) => files.stat(path).then(() => false, (error: unknown) => !isUnknown(error))))
  return paths.filter((_, index) => verdicts[index])
}

async function refusal(restic: Restic, request: SnapshotRequest): Promise<Failure | null> {
  if (restic.place.problem !== null) return restic.place.problem
  if (request.paths.length === 0) return { kind: 'usage', message: 'there is no path to make a snapshot of' }
  for (const path of request.paths) {
    // restic would store the link, and end well.
    if ((await files.lstat(path).catch(() => null))?.kind === 'link') {
      return { kind: 'usage', message: `${path} is a symbolic link: a snapshot of it would hold no file` }
    }
  }
  if ((await absentOf(request.paths)).length === request.paths.length) {
    return { kind: 'not-found', message: `${request.paths.join(', ')}: there is nothing to make a snapshot of` }
  }
  const { path } = restic.place
  // restic looks for its parent after the gate, where a failure costs downtime.
  if (
    path !== null &&
    request.parent !== null &&
    (await files.isThere(join(path, 'snapshots'))) &&
    (await absentOf([join(path, 'snapshots', request.parent)])).length > 0
  ) {
    return { kind: 'not-found', message: `the parent snapshot ${request.parent} is not in the repository` }
  }
  return null
}

function startBackup(restic: Restic, request: SnapshotRequest, gate: Gate, run: SnapshotRun): RunningTool {
  return restic.start({
    command: 'backup',
    flags: [
      `--host=${request.host}`,
      ...request.tags.map((tag) => `--tag=${encodeTag(tag)}`),
      // Without a parent of ours restic would choose one itself; --force is its only word for none.
      request.parent === null ? '--force' : `--parent=${request.parent}`,
      ...(gate.patternsPath === null ? [] : [`--exclude-file=${gate.patternsPath}`]),
      `--iexclude-file=${gate.path}`,
      // Only the progress needs restic's count of all files, and on a stopped stack the count would compete with the reading.
      ...(request.expected === undefined ? [] : ['--no-scan']),
    ],
    // restic expands no pattern in arguments.
    operands: request.paths,
    locking: 'needed',
    onStdoutLine: (line) => run.readStdout(line),
    onStderrLine: (line) => run.readStderr(line),
    keepBytes: 64 * 1024,
    ...(request.bindMounts === undefined ? {} : { bindMounts: request.bindMounts }),
  })
}

function firstPhaseFailure(restic: Restic, result: ToolResult, what: string): Failure {
  const words = lastWords(result.stderr)
  if (/^--exclude-file: /m.test(words)) {
    return { kind: 'configuration', message: 'restic does not understand an exclude pattern', toolOutput: words, fix: 'Correct EXCLUDE' }
  }
  if (result.exitCode === 0) return { kind: 'failed', message: `${what}: restic ended before it was let`, toolOutput: words }
  return restic.failureOf(result, what)
}

/** Node lets a longer timer ring at once: 24.8 days are as good as for ever. */
const longestTimerMs = 2 ** 31 - 1

/** The limits of the second phase: the runner's own would count the wait too. Ends the tool when one is passed, or the caller aborts. */
function watchSecondPhase({
  tool,
  run,
  request,
  options,
}: {
  tool: RunningTool
  run: SnapshotRun
  request: SnapshotRequest
  options: CallOptions
}): {
  readonly end: () => void
  readonly endedBecause: () => 'timed-out' | 'stalled' | 'cancelled' | null
} {
  let because: 'timed-out' | 'stalled' | 'cancelled' | null = null
  const stop = (cause: 'timed-out' | 'stalled' | 'cancelled'): void => {
    because ??= cause
    void tool.stop()
  }
  const startedAt = performance.now()
  const timeLimit = request.timeoutMs === undefined ? undefined : setTimeout(stop, Math.min(request.timeoutMs, longestTimerMs), 'timed-out')
  const stallLimit = request.stallTimeoutMs === undefined ? undefined : setTimeout(stop, Math.min(request.stallTimeoutMs, longestTimerMs), 'stalled')
  const onAbort = (): void => stop('cancelled')
  options.signal?.addEventListener('abort', onAbort, { once: true })

  // restic repeats its status by the clock, also when nothing moves.
  let lastStatus = ''
  run.onStatus = (status) => {
    const [bytesDone, filesDone] = [asNumber(status['bytes_done']), asNumber(status['files_done'])]
    // What has grown since the earlier snapshot is never more than all.
    const [bytesTotal, filesTotal] = [
      Math.max(asNumber(status['total_bytes']), bytesDone, request.expected?.bytes ?? 0),
      Math.max(asNumber(status['total_files']), filesDone, request.expected?.files ?? 0),
    ]
    const now = [bytesDone, bytesTotal, filesDone, filesTotal].join()
    if (now === lastStatus) return
    lastStatus = now
    stallLimit?.refresh()
    const seconds = (performance.now() - startedAt) / 1000
    options.onProgress?.({
      phase: 'snapshot',
      bytesDone,
      bytesTotal,
      filesDone,
      filesTotal,
      ...(seconds > 0 ? { bytesPerSecond: Math.round(bytesDone / seconds) } : {}),
      ...remaining(status, { bytesDone, bytesTotal, seconds }),
    })
  }
  return {
    end: () => {
      clearTimeout(timeLimit)
      clearTimeout(stallLimit)
      options.signal?.removeEventListener('abort', onAbort)
      run.onStatus = () => {}
    },
    endedBecause: () => because,
  }
}

/** By restic's own word, which it gives only when it has counted; else by the speed so far. */
function remaining(status: JsonObject, { bytesDone, bytesTotal, seconds }: { bytesDone: number; bytesTotal: number; seconds: number }): { readonly remainingMs?: number } {
  if (typeof status['seconds_remaining'] === 'number') return { remainingMs: status['seconds_remaining'] * 1000 }
  if (bytesDone === 0 || seconds < 1) return {}
  return { remainingMs: Math.round(((bytesTotal - bytesDone) / bytesDone) * seconds) * 1000 }
}

/** Exit code 3 is a snapshot too, of what could be read. */
function snapshotAnswer(result: ToolResult, run: SnapshotRun, failureOf: (result: ToolResult) => Failure): Answer<SnapshotResult> {
  const { summary } = run
  const id = asString(summary?.['snapshot_id'])
  // One that was made at the very moment of its limit is there all the same.
  const isMade = summary !== null && /^[0-9a-f]{64}$/.test(id) && (result.exitCode === 0 || result.exitCode === 3)
  if (!isMade || result.outcome === 'cancelled') return failed(failureOf(result))
  const isComplete = result.exitCode === 0 && run.missing.length === 0
  const unread = run.missing.filter((path) => !run.unreadable.some((line) => line.includes(path))).map((path) => `${path} does not exist`)
  return answered({
    id,
    isComplete,
    unreadable: isComplete ? [] : [...unread, ...run.unreadable].slice(0, mostUnreadable),
    bytesAdded: asNumber(summary['data_added_packed'] ?? summary['data_added']),
    bytesProcessed: asNumber(summary['total_bytes_processed']),
    filesNew: asNumber(summary['files_new']),
    filesChanged: asNumber(summary['files_changed']),
    filesUnmodified: asNumber(summary['files_unmodified']),
  })
}
