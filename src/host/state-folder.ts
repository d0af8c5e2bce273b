import { rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { StackbkError } from '../errors.js'
import { writeFileAtomically } from './atomic-write.js'
import { makeFolder } from './make-folder.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Where stackbk keeps what it must remember. Nothing is created by naming a place; {@link ensureFolder} does that. */
export interface StateFolder {
  readonly root: string
  /** One file a stack that a run may have left stopped. */
  readonly journal: string
  /** One file a run: the tools it has started. */
  readonly children: string
  /** One file a stack of which a frozen copy may be there. */
  readonly frozen: string
  /** One file a stack whose recovery is not over. */
  readonly recoveries: string
  /** One file a run that is under way, or of whose end somebody is still to be told. */
  readonly runs: string
  /** Which failures were delivered to which notifier, until the first success after them was too. */
  readonly reportedFailures: string
  readonly log: string
  /** One line a run. */
  readonly history: string
  /** What is remembered of each stack. */
  readonly stacks: string
  /** Each stack's capsule, at a path that stays the same, since it is part of every snapshot. */
  readonly capsules: string
  /** What is remembered of each repository and of its copies. */
  readonly repositories: string
  /** One file for each snapshot whose marks the repository may not show yet. */
  readonly marks: string
  /** One file a drill of which something may be there. */
  readonly drills: string
  /** What came of the last drill. */
  readonly lastDrill: string
  /** What is remembered of the last disaster kit. */
  readonly kit: string
  readonly cache: string
  /** What providers keep; never emptied by stackbk. */
  readonly providers: string
}

/** `$STACKBK_STATE_DIR`, else `/var/lib/stackbk` for root, else `$XDG_STATE_HOME/stackbk`. */
export function stateFolder(environment: Environment): StateFolder {
  const root = rootOf(environment)
  return {
    root,
    journal: join(root, 'journal'),
    children: join(root, 'children'),
    frozen: join(root, 'frozen'),
    recoveries: join(root, 'recoveries'),
    runs: join(root, 'runs'),
    reportedFailures: join(root, 'reported-failures.json'),
    log: join(root, 'stackbk.log'),
    history: join(root, 'history.jsonl'),
    stacks: join(root, 'stacks'),
    capsules: join(root, 'capsules'),
    repositories: join(root, 'repositories'),
    marks: join(root, 'marks'),
    drills: join(root, 'drills'),
    lastDrill: join(root, 'last-drill.json'),
    kit: join(root, 'kit.json'),
    cache: join(root, 'cache'),
    providers: join(root, 'providers'),
  }
}

function rootOf(environment: Environment): string {
  if (environment['STACKBK_STATE_DIR']) return environment['STACKBK_STATE_DIR']
  if (process.getuid?.() === 0) return '/var/lib/stackbk'
  return join(environment['XDG_STATE_HOME'] || join(environment['HOME'] || homedir(), '.local', 'state'), 'stackbk')
}

/** The file in which a stack describes itself: in the state folder, and so in its snapshots. */
export const capsuleName = 'stackbk-capsule.json'

/** Where the capsule of the stack with this key lies: always there, since the path is part of every snapshot. */
export function capsulePath(state: Pick<StateFolder, 'capsules'>, key: string): string {
  return join(state.capsules, key, capsuleName)
}

/** Makes a folder of ours, and those above it, for us alone. */
export function ensureFolder(path: string): void {
  makeFolder(path)
}

/** What a run must be able to note of itself and of the stacks that it stops; more than it needs for one of them. */
const probeBytes = 64 * 1024

/** Throws (kind `failed`) where nothing can be noted: said at once, it costs no stack a stop. */
export function ensureWritable(state: StateFolder): void {
  const probe = join(state.root, 'probe')
  try {
    ensureFolder(state.root)
    writeFileAtomically(probe, new Uint8Array(probeBytes), { mode: 0o600 })
    rmSync(probe)
  } catch (error) {
    throw new StackbkError({
      kind: 'failed',
      code: 'state-not-writable',
      message: `the state folder ${state.root} cannot be written`,
      detail: error instanceof Error ? error.message : String(error),
      fix: 'Free space there and check who owns it, or set STACKBK_STATE_DIR',
    })
  }
}
