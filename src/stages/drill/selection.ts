import type { Snapshot } from '@stackbk/contract'

import { nearestName } from '../../config/nearest-name.js'
import { exitCodes, type Problem } from '../../errors.js'
import { stackOf } from '../backup/stack-snapshots.js'
import { chooseSnapshots, chosenHost, type ChosenSnapshot } from '../recover/choice.js'
import { assertFits } from '../recover/room.js'

/** A stack that was wanted and is not drilled. */
export interface NotDrilled {
  readonly name: string
  readonly problem: Problem
  /** The exit code that stands for it; 0 for that of a drill that is not complete. */
  readonly code: number
}

export interface DrillSelection {
  readonly chosen: readonly ChosenSnapshot[]
  readonly notDrilled: readonly NotDrilled[]
  readonly problems: readonly Problem[]
}

export interface DrillSelectionRequest {
  /** Of the copy or the repository, oldest first. */
  readonly snapshots: readonly Snapshot[]
  /** For people. */
  readonly source: string
  readonly isLocal: boolean
  readonly ownHost: string
  /** Asked for; empty: the enabled stacks, and on a host that has snapshots of none of them all that the source holds. */
  readonly names: readonly string[]
  /** The stacks of this host, with those that share a name. */
  readonly listed: readonly { readonly name: string; readonly path: string; readonly enabled: boolean }[]
}

/**
 * Chooses the snapshots of a drill. A stack without one, or with a name that no snapshot has, is left out alone. Throws `usage` where
 * nothing is left of what was named, or the host cannot be chosen.
 */
export function selectForDrill(request: DrillSelectionRequest): DrillSelection {
  const { snapshots, names, listed, ownHost } = request
  const { host } = chosenHost({ host: undefined, ownHost }, snapshots.filter((snapshot) => stackOf(snapshot) !== null))
  const held = [...new Set(snapshots.flatMap((snapshot) => (snapshot.host === host ? (stackOf(snapshot) ?? []) : [])))].sort()
  const wanted = [...new Set(names.length > 0 ? names : listed.filter(({ enabled }) => enabled).map(({ name }) => name))]
  const present = wanted.filter((name) => held.includes(name))
  const isNothingLeft = names.length > 0 && present.length === 0
  const { chosen, lacking, problems } = chooseSnapshots({ snapshots, names: isNothingLeft ? wanted : present, all: !isNothingLeft && present.length === 0, snapshotId: undefined, host: undefined, ownHost, switchedOff: [] })
  const absent = wanted.filter((name) => !held.includes(name))
  return {
    chosen,
    notDrilled: [...absent.map((name) => (names.length > 0 && !listed.some((one) => one.name === name) ? unknown(name, held) : withoutSnapshot(name, request))), ...lacking.map((name) => withoutSnapshot(name, request))],
    // A drill works as well with the snapshots of another host.
    problems: [...problems.filter(({ code }) => code !== 'other-host'), ...sharedNames(chosen, listed, names)],
  }
}

/**
 * Leaves out each stack whose files do not fit next to the copy. One stack's files are there at a time, with `keep` those of all.
 * Throws `guard` (7) where none fits.
 */
export function withRoom(selection: DrillSelection, { folder, free, copyBytes, keep }: { readonly folder: string; readonly free: number; readonly copyBytes: number; readonly keep: boolean }): DrillSelection {
  const fix = 'Free space there, or set STACKBK_STATE_DIR to a larger disk'
  let used = copyBytes
  const fitting: ChosenSnapshot[] = []
  const tooLarge: NotDrilled[] = []
  for (const one of selection.chosen) {
    const needed = used + (one.snapshot.bytes ?? 0)
    if (needed <= free) {
      fitting.push(one)
      if (keep) used = needed
    } else {
      tooLarge.push({ name: one.stack, code: exitCodes.ofKind('guard'), problem: { severity: 'error', code: 'not-enough-space', message: `${folder} would need ${needed} bytes for it, and ${free} are free`, fix, stack: one.stack } })
    }
  }
  const smallest = Math.min(...selection.chosen.map(({ snapshot }) => snapshot.bytes ?? 0))
  if (fitting.length === 0 && tooLarge.length > 0) assertFits([{ path: folder, needed: copyBytes + smallest, free }], fix)
  return { ...selection, chosen: fitting, notDrilled: [...selection.notDrilled, ...tooLarge] }
}

function withoutSnapshot(name: string, { source, isLocal }: DrillSelectionRequest): NotDrilled {
  return { name, code: 0, problem: { severity: 'error', code: 'no-snapshot', message: `${source} holds no complete snapshot of it`, fix: `Run: stackbk backup ${name}${isLocal ? '' : ', then: stackbk sync'}`, stack: name } }
}

function unknown(name: string, held: readonly string[]): NotDrilled {
  const nearest = nearestName(name, held)
  return { name, code: 0, problem: { severity: 'error', code: 'unknown-stack', message: `there is no snapshot of a stack '${name}'`, fix: nearest === null ? `There are: ${held.join(', ')}` : `Did you mean '${nearest}'?`, stack: name } }
}

/** Snapshots are found by the stack's name: of two stacks with one name the drill cannot tell whose is the newest. */
function sharedNames(chosen: readonly ChosenSnapshot[], listed: DrillSelectionRequest['listed'], names: readonly string[]): readonly Problem[] {
  return chosen.flatMap(({ stack, snapshot }) => {
    const paths = listed.filter(({ name, enabled }) => name === stack && (enabled || names.length > 0)).map(({ path }) => path)
    if (paths.length < 2) return []
    return [{ severity: 'warning', code: 'stacks-not-distinct', message: `more than one stack is called '${stack}' (${paths.join(' and ')}): the newest snapshot of that name is drilled, which is of ${snapshot.paths[0] ?? 'an unknown folder'}`, fix: 'Give one of them another name: stackbk dirlist add PATH --name NAME', stack }]
  })
}
