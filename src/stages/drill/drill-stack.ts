import { lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, Capsule, Engine, IsolatedStack, Runtime, Scratch, Snapshot } from '@stackbk/contract'
import { parseArgsStringToArgv } from 'string-argv'

import { counted } from '../../counted.js'
import { errorFrom, exitCodes, problemFrom, StackbkError, type ErrorKind, type Problem } from '../../errors.js'
import { fsPath } from '../../host/file-names.js'
import { removeTree } from '../../host/remove-tree.js'
import type { ChosenSnapshot } from '../recover/choice.js'
import { isCapsule } from '../recover/held-path.js'
import type { Run } from '../run.js'
import type { DrillStackReport } from './drill-result.js'
import { needsOf, type ParallelDrills, type Turn } from './parallel.js'
import { chooseSample, compareSample } from './sample.js'

export interface DrillContext {
  readonly run: Run
  readonly runtime: Runtime
  /** The engine on the copy. */
  readonly engine: Engine
  readonly label: string
  /** Everything is below it. */
  readonly folder: string
  /** What fetching the copy took, which every stack's recovery begins with. */
  readonly fetchMs: number
  /** Who else may be at work. */
  readonly parallel: ParallelDrills
}

export interface StackDrill {
  readonly report: DrillStackReport
  readonly problems: readonly Problem[]
  /** The exit code that stands for what went wrong; 0 for that of a drill that failed for no reason of its own. */
  readonly code: number
  /** Gives back what its containers use, once they are removed; `null`: none were made. */
  readonly turn: Turn | null
}

/** Kinds of failure that say something about the tools, the host or the remote, and nothing about the data. */
const notOfTheData: ReadonlySet<ErrorKind> = new Set(['tool-missing', 'tool-too-old', 'tool-not-answering', 'remote-unreachable', 'transfer-failed', 'repository-locked', 'guard', 'usage', 'configuration', 'timed-out', 'stalled', 'cancelled'])

/** One stack's rehearsal: its files out of the copy, compared, its containers started in isolation, probed. Its failures are in the report, thrown is only an interruption. */
export async function drillStack({ run, runtime, engine, label, folder, fetchMs, parallel }: DrillContext, { stack: name, snapshot }: ChosenSnapshot): Promise<StackDrill> {
  const problems: Problem[] = []
  const codes = new Set<number>()
  // From here on a failure says that the data does not come back, until its containers are made.
  let isReadingData = true
  let isUnproven = false
  const begunAt = performance.now()
  const draft = { name, snapshotId: snapshot.id, dataAgeMs: Math.max(0, run.startedAt.getTime() - Date.parse(snapshot.time)), recoveryMs: null as number | null, healthy: false, probe: 'skipped' as DrillStackReport['probe'], filesCompared: 0, mismatches: 0 }
  const fail = (code: string, message: string, fix: string): void => {
    problems.push({ severity: 'error', code, message, fix, stack: name })
    codes.add(exitCodes.ofKind('corrupt'))
  }
  let turn: Turn | null = null
  const own = join(folder, partOf(name))
  const [files, again] = [join(own, 'files'), join(own, 'again')]
  try {
    for (const part of [files, again]) mkdirSync(part, { recursive: true, mode: 0o700 })
    run.reporter.stackPhase(name, 'extracting')
    // Both have ended before anything else is done: what fails is removed, and nothing may still be written then.
    const [restoring, sampling] = await Promise.allSettled([
      engine.restore({ snapshot: snapshot.id, target: files, include: [], subfolder: '', deleteExtra: false, sparse: true, verify: false, signal: run.signal, onProgress: (progress) => run.reporter.stackPhase(name, 'extracting', progress) }).then((answer) => ({ answer, ms: performance.now() - begunAt })),
      chooseSample(engine, snapshot.id, { count: run.configuration.drill.sampleFiles, signal: run.signal }),
    ])
    const [restored, sampled] = [settled(restoring), settled(sampling)]
    if (!restored.answer.ok) throw errorFrom(restored.answer.failure)
    if (!sampled.ok) throw errorFrom(sampled.failure)

    run.reporter.stackPhase(name, 'comparing')
    const sample = await compareSample({ engine, snapshotId: snapshot.id, chosen: sampled.value, restored: files, scratch: again, signal: run.signal })
    await removeTree(again)
    draft.filesCompared = sample.filesCompared
    draft.mismatches = sample.mismatches.length
    if (sample.mismatches.length > 0) fail('not-as-in-snapshot', `${sample.mismatches.length} of ${counted(sample.filesCompared, 'file')} ${sample.mismatches.length === 1 ? 'is' : 'are'} not what the snapshot holds: ${sample.mismatches.slice(0, 3).join(', ')}`, 'Run: stackbk verify --cloud, then: stackbk verify --read-data-subset 100%')

    const capsule = await capsuleOf(engine, snapshot, files, run.signal)
    isReadingData = false
    const onWait = (): void => run.reporter.stackPhase(name, 'waiting')
    turn = await parallel.untilMayStart(await needsOf(run, runtime, capsule), { signal: run.signal, onWait })
    let startingAt = 0
    // The others take processor time from it, so all of them get as much more time to become healthy.
    const scratch: Scratch = { label, part: partOf(name), directory: own, restored: new Map(snapshot.paths.map((path) => [path, join(files, path)])), images: 'digest', healthTimeoutMs: run.configuration.docker.healthTimeoutMs * parallel.stacks }
    const start = (): Promise<Answer<IsolatedStack>> => {
      run.reporter.stackPhase(name, 'starting in isolation')
      startingAt = performance.now()
      return runtime.startIsolated(capsule, scratch, { signal: run.signal })
    }
    let started = await start()
    // Too little was free for all of them: one after another then.
    if (!started.ok && started.failure.transient === true && runtime.removePart !== undefined) {
      const { message } = started.failure
      const removed = await runtime.removePart(label, partOf(name))
      if (removed.ok && (await turn.untilAlone())) {
        run.log('info', 'drilled alone', { stack: name, reason: message })
        started = await start()
      }
    }
    if (!started.ok) throw errorFrom(started.failure)
    for (const what of started.value.leftOut) problems.push({ severity: 'warning', code: 'not-rehearsed', message: what, fix: '', stack: name })
    for (const { reason } of started.value.unprovenImages) problems.push({ severity: 'warning', code: 'image-unproven', message: reason, fix: '', stack: name })
    draft.healthy = started.value.healthy
    const unproven = unprovenServices(name, started.value)
    problems.push(...unproven)
    isUnproven = unproven.length > 0
    const needs = new Set((started.value.outsideNeeds ?? []).map(({ service }) => service))
    const bad = started.value.missing.filter(({ service }) => !needs.has(service))
    if (started.value.healthy && !isUnproven) draft.recoveryMs = Math.round(fetchMs + restored.ms + performance.now() - startingAt)
    if (bad.length > 0) fail('not-healthy', `it does not become healthy from its snapshot: ${bad.map(({ service, reason }) => `${service} ${reason}`).join('; ')}`, 'Look at it: stackbk drill --keep, then the logs of its containers')

    const lacking = new Set([...needs, ...(started.value.unavailable ?? []).map(({ service }) => service)])
    if (bad.length === 0) draft.probe = await probed(run, runtime, name, { containers: started.value.containers, lacking }, fail)
  } catch (error) {
    if (run.signal.aborted) throw error
    const { kind, code, message, detail, fix } = error instanceof StackbkError ? error : new StackbkError({ kind: 'failed', message: String(error) })
    codes.add(codeOfFailure(kind, `${message}\n${detail}`, isReadingData))
    problems.push({ ...problemFrom({ kind: 'failed', message, toolOutput: detail, fix }, { code: code === kind ? 'drill-failed' : code }), stack: name })
  }
  const isOk = draft.healthy && draft.probe !== 'failed' && draft.mismatches === 0 && !isUnproven
  const isPartial = isUnproven && codes.size === 0 && draft.mismatches === 0 && draft.probe !== 'failed'
  return { report: { ...draft, status: isOk ? 'ok' : isPartial ? 'partial' : 'failed' }, problems, code: exitCodes.first([...codes]), turn }
}

function settled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason
  return result.value
}

/** Returns the name of a stack as that of a folder and of a label. */
export function partOf(stack: string): string {
  return encodeURIComponent(stack)
}

/** Names services that say nothing about their data: what they reach for is not there in isolation, or they could not be made. */
function unprovenServices(stack: string, { outsideNeeds = [], unavailable = [] }: IsolatedStack): readonly Problem[] {
  return [
    ...outsideNeeds.map(({ service, reason }): Problem => ({ severity: 'error', code: 'needs-other-stack', message: `whether ${service} comes back could not be proven in isolation: ${reason}`, fix: 'Give it a health check that needs nothing outside of its stack, or look at it: stackbk drill --keep', stack })),
    ...unavailable.map(({ service, reason, fix }): Problem => ({ severity: 'error', code: 'service-not-drilled', message: `service ${service} was not drilled: ${reason}`, fix, stack })),
  ]
}

/** Data that cannot be read from the copy is corrupt, unless the disk of the drill is full or the failure is of the tools. What keeps containers from being made is no word about the data. */
function codeOfFailure(kind: ErrorKind, words: string, isReadingData: boolean): number {
  if (/no space left on device|disk quota exceeded/i.test(words)) return 0
  if (isReadingData && !notOfTheData.has(kind)) return exitCodes.ofKind('corrupt')
  return exitCodes.ofKind(kind) === exitCodes.ofKind('usage') || exitCodes.ofKind(kind) === 1 ? 0 : exitCodes.ofKind(kind)
}

/** Reads the capsule among the restored files; where it is not among them, from the snapshot, which takes a call of the engine. */
async function capsuleOf(engine: Engine, { id, paths }: Pick<Snapshot, 'id' | 'paths'>, files: string, signal: AbortSignal): Promise<Capsule> {
  const path = paths.find(isCapsule)
  if (path === undefined) throw new StackbkError({ kind: 'not-found', code: 'no-capsule', message: 'the snapshot has no capsule, so nothing says how to start it', fix: 'Run: stackbk backup, then: stackbk sync' })
  const restored = join(files, path)
  if (lstatSync(fsPath(restored), { throwIfNoEntry: false })?.isFile() === true) return JSON.parse(readFileSync(fsPath(restored), 'utf8')) as Capsule
  const read = await engine.read(id, path, { signal })
  if (!read.ok) throw errorFrom(read.failure)
  return JSON.parse(Buffer.from(read.value).toString('utf8')) as Capsule
}

/** `SERVICE: COMMAND` runs in that service, a `COMMAND` alone in the first. Nothing is asked of a service that lacks what it needs. */
async function probed(run: Run, runtime: Runtime, name: string, { containers, lacking }: { readonly containers: readonly { readonly service: string; readonly id: string }[]; readonly lacking: ReadonlySet<string> }, fail: (code: string, message: string, fix: string) => void): Promise<DrillStackReport['probe']> {
  const { probe } = run.configuration.stack(name)
  if (probe === null) return 'skipped'
  const [, service, command = probe] = /^([\w.-]+):\s+(.+)$/s.exec(probe) ?? []
  const container = service === undefined ? containers[0] : containers.find((one) => one.service === service)
  if (lacking.has(container?.service ?? service ?? '')) return 'skipped'
  if (container === undefined) {
    fail('probe-failed', service === undefined ? 'there is no container to probe' : `there is no container of the service ${service} to probe`, 'Correct PROBE')
    return 'failed'
  }
  run.reporter.stackPhase(name, 'probing')
  const result = await runtime.runInside(container.id, parseArgsStringToArgv(command), { timeoutMs: run.configuration.drill.probeTimeoutMs, signal: run.signal })
  if (result.ok && result.value.exitCode === 0) return 'ok'
  if (!result.ok) fail('probe-failed', problemFrom(result.failure).message, 'Correct PROBE')
  else fail('probe-failed', `the probe ${result.value.exitCode === null ? `did not end within ${run.configuration.drill.probeTimeoutMs / 1000} s` : `exited with ${result.value.exitCode}`}: ${result.value.output.trim().split('\n').at(-1) ?? ''}`, 'Look at it: stackbk drill --keep')
  return 'failed'
}
