import type { Snapshot } from '@stackbk/contract'

import { nearestName } from '../../config/nearest-name.js'
import { StackbkError, type Problem } from '../../errors.js'
import { datedTooEarlyProblem } from '../dated-too-early.js'
import { datedInFutureProblem, isDatedInFuture } from '../dated-in-future.js'
import { bestSnapshot, isGood, marksOf, newestSnapshot, stackOf } from '../backup/stack-snapshots.js'

/** Which snapshot of a stack is to be brought back. */
export interface ChosenSnapshot {
  readonly stack: string
  readonly snapshot: Snapshot
}

export interface Choice {
  readonly host: string
  /** By name of the stack. */
  readonly chosen: readonly ChosenSnapshot[]
  /** Stacks that were wanted and have no snapshot that is taken without being asked for. */
  readonly lacking: readonly string[]
  /** The newest snapshot of each of those, whatever its marks, by the stack's name. */
  readonly marked?: ReadonlyMap<string, Snapshot>
  readonly problems: readonly Problem[]
}

export interface ChoiceRequest {
  /** Of the repository, oldest first. */
  readonly snapshots: readonly Snapshot[]
  readonly names: readonly string[]
  readonly all: boolean
  /** An ID or its beginning. */
  readonly snapshotId: string | undefined
  /** Asked for by name. */
  readonly host: string | undefined
  /** What this host calls itself in snapshots. */
  readonly ownHost: string
  /** Stacks that the dirlist has switched off: they are left out of `all`. */
  readonly switchedOff: readonly string[]
  /** The good snapshot that was made after this one, the latest by its time, with a clock that was behind; `null` for none. Absent: not known. */
  readonly madeAfter?: (newest: Snapshot) => Snapshot | null
}

/**
 * The snapshots to bring back: of this host, of the one asked for, or of the only one that the repository knows; of each stack
 * the newest good one, else the newest that is marked live and nothing else, or the one that was asked for.
 *
 * Throws `usage`: no stack and no `all`, an unknown stack, snapshot or host, several hosts to choose from.
 */
export function chooseSnapshots(request: ChoiceRequest): Choice {
  const { names, all, snapshotId } = request
  const own = request.snapshots.filter((snapshot) => stackOf(snapshot) !== null)
  if (snapshotId !== undefined) return chosenById(request, own, snapshotId)
  if (names.length === 0 && !all) throw usage('nothing-chosen', 'no stack is named', 'Name stacks, or take all of the repository with --all')
  if (names.length > 0 && all) throw usage('names-and-all', '--all is for all stacks, and some are named', 'Give one or the other')

  const { host, problems } = chosenHost(request, own)
  const ofHost = own.filter((snapshot) => snapshot.host === host)
  const known = [...new Set(ofHost.flatMap((snapshot) => stackOf(snapshot) ?? []))].sort()
  for (const name of names) if (!known.includes(name)) throw unknownStack(name, known, host)
  const left = all ? known.filter((name) => request.switchedOff.includes(name)) : []
  const wanted = all ? known.filter((name) => !left.includes(name)) : [...new Set(names)]
  const found = wanted.map((stack) => {
    const [best, newest] = [bestSnapshot(ofHost, stack, host), newestSnapshot(ofHost, stack, host)]
    const made = (best === undefined ? undefined : request.madeAfter?.(best)) ?? null
    return made === null ? { stack, snapshot: best, newest } : { stack, snapshot: made, newest: newest === best ? made : newest, passedOver: best }
  })
  return {
    host,
    chosen: found.flatMap(({ stack, snapshot }) => (snapshot === undefined ? [] : [{ stack, snapshot }])),
    lacking: found.flatMap(({ stack, snapshot }) => (snapshot === undefined ? [stack] : [])),
    marked: new Map(found.flatMap(({ stack, snapshot, newest }) => (snapshot === undefined && newest !== undefined ? [[stack, newest]] : []))),
    problems: [...problems, ...left.map(switchedOff), ...found.flatMap(({ stack, snapshot, newest }) => markProblems(stack, snapshot, newest)), ...found.flatMap(({ stack, snapshot, passedOver }) => clockProblems(stack, snapshot, passedOver)), ...ofHost.filter((snapshot) => wanted.includes(stackOf(snapshot) ?? '') && isDatedInFuture(snapshot)).map((snapshot) => datedInFutureProblem({ ...snapshot, stack: stackOf(snapshot) }))],
  }
}

function chosenById({ names, all, host }: ChoiceRequest, own: readonly Snapshot[], id: string): Choice {
  const matches = own.filter((snapshot) => id !== '' && snapshot.id.startsWith(id.toLowerCase()))
  const [snapshot] = matches
  if (snapshot === undefined || matches.length > 1) {
    throw usage('unknown-snapshot', matches.length === 0 ? `there is no snapshot ${id} of a stack` : `${id} is the beginning of ${matches.length} snapshot IDs`, 'See: stackbk snapshots')
  }
  const stack = stackOf(snapshot) ?? ''
  if (all || names.length > 1 || (names[0] ?? stack) !== stack) throw usage('snapshot-of-another', `the snapshot ${id} is of the stack ${stack} alone`, `Run: stackbk recover ${stack} --snapshot ${id}`)
  if (host !== undefined && snapshot.host !== host) throw usage('snapshot-of-another', `the snapshot ${id} is of the host ${snapshot.host}`, 'Leave out --host')
  const found = marksOf(snapshot)
  const problem: Problem = { severity: 'warning', code: 'not-whole', message: `the snapshot ${snapshot.id.slice(0, 8)} is marked ${found.join(', ')}: what it holds may not be whole`, fix: '', stack }
  return { host: snapshot.host, chosen: [{ stack, snapshot }], lacking: [], problems: found.length === 0 ? [] : [problem] }
}

/** Says that a live snapshot is taken because there is no better one, or that it was passed over for an older one that is better. */
function markProblems(stack: string, taken: Snapshot | undefined, newest: Snapshot | undefined): readonly Problem[] {
  if (taken === undefined) return []
  if (!isGood(taken)) {
    return [{ severity: 'warning', code: 'live-snapshot', message: `${stack} has no snapshot at rest: the newest one that is marked live is taken, ${taken.id.slice(0, 8)} of ${taken.time}. It was read while something wrote to it or may have written, so check the data, databases first`, fix: 'For another one, see: stackbk snapshots, then: stackbk recover --snapshot ID', stack }]
  }
  if (newest === undefined || newest === taken) return []
  return [{ severity: 'warning', code: 'newer-marked', message: `${stack} has a newer snapshot, ${newest.id.slice(0, 8)} of ${newest.time}, which is marked ${marksOf(newest).join(', ')}: the newest good one is taken, ${taken.id.slice(0, 8)} of ${taken.time}`, fix: `To take the newer one: stackbk recover ${stack} --snapshot ${newest.id.slice(0, 8)}`, stack }]
}

function clockProblems(stack: string, made: Snapshot | undefined, passedOver: Snapshot | undefined): readonly Problem[] {
  if (made === undefined || passedOver === undefined) return []
  const id = passedOver.id.slice(0, 8)
  return [datedTooEarlyProblem(stack, { made, newest: passedOver, outcome: `${made.id.slice(0, 8)} is taken`, fix: `To take the other one: stackbk recover ${stack} --snapshot ${id}` })]
}

/** Another host than this one is taken without being asked for only where there is no choice. */
export function chosenHost({ host, ownHost }: Pick<ChoiceRequest, 'host' | 'ownHost'>, own: readonly Snapshot[]): { host: string; problems: readonly Problem[] } {
  const hosts = [...new Set(own.map((snapshot) => snapshot.host))].sort()
  if (own.length === 0) throw usage('no-stacks', 'the repository holds no snapshot of a stack', 'See whether it is the right one: stackbk doctor')
  const list = `Hosts in the repository: ${hosts.join(', ')}`
  if (host !== undefined) {
    if (hosts.includes(host)) return { host, problems: [] }
    const nearest = nearestName(host, hosts)
    throw usage('unknown-host', `there is no snapshot of the host ${host}`, nearest === null ? list : `Did you mean ${nearest}? ${list}`)
  }
  if (hosts.includes(ownHost)) return { host: ownHost, problems: [] }
  const [only] = hosts
  if (only === undefined || hosts.length > 1) throw usage('several-hosts', `there is no snapshot of this host, ${ownHost}, and several others are there`, `${list}. Choose one with --host NAME`)
  return { host: only, problems: [{ severity: 'warning', code: 'other-host', message: `there is no snapshot of this host, ${ownHost}: those of ${only}, the only one in the repository, are taken`, fix: `If this host takes its place, set HOSTNAME=${only} in [local_backup]` }] }
}

function switchedOff(stack: string): Problem {
  return { severity: 'warning', code: 'switched-off', message: `${stack} has snapshots and is switched off in the dirlist: it is left out`, fix: `To bring it back too, run: stackbk recover ${stack}`, stack }
}

function unknownStack(name: string, known: readonly string[], host: string): StackbkError {
  const nearest = nearestName(name, known)
  return usage('unknown-stack', `there is no snapshot of a stack '${name}' of the host ${host}`, nearest === null ? `There are: ${known.join(', ')}` : `Did you mean '${nearest}'?`)
}

function usage(code: string, message: string, fix: string): StackbkError {
  return new StackbkError({ kind: 'usage', code, message, fix })
}
