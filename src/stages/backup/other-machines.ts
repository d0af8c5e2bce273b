import type { Capsule, Snapshot } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { machineId } from '../../host/machine-id.js'
import { capsuleName } from '../../host/state-folder.js'
import { ownerName } from '../forgotten-ledger.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import { stackOf } from './stack-snapshots.js'

/** Reading one capsule opens the repository once; the newest snapshots of a stack show whether another machine is at work. */
const mostReadPerStack = 3

export interface OtherMachines {
  /** Names of stacks that another machine backs up under the same hostname. */
  readonly stacks: ReadonlySet<string>
  readonly problems: readonly Problem[]
}

/**
 * Finds which stacks another machine backs up under this one's hostname. Of these stacks the retention of either would forget the
 * snapshots of both, because hostname and stack are all that it goes by. Of others no deletion could be proven to whoever mirrors the
 * repository. Reads the capsules of snapshots that appeared in the repository and that no run of this state folder has made: usually
 * there are none.
 */
export async function findOtherMachines(run: Run, repository: OpenRepository, names: readonly string[]): Promise<OtherMachines> {
  const own = machineId(run.state)
  if (own === null) return { stacks: new Set(), problems: [] }
  const { hostname, formerMachines } = run.configuration.backup
  const { record } = repository
  const found = new Map<string, Set<string>>()
  const ofHostname = repository.snapshots.filter((snapshot) => snapshot.host === hostname)
  for (const name of new Set(ofHostname.flatMap((snapshot) => stackOf(snapshot) ?? []))) {
    const ofStack = ofHostname.filter((snapshot) => stackOf(snapshot) === name)
    await recordMachines(run, repository, ofStack.filter(({ id }) => record.isOfUnknownMachine(id)), own)
    for (const { id } of ofStack) {
      // A host alone stands there for what was recorded while this machine had another hostname.
      const machine = record.ownerOf(id)?.split('/')[1]
      if (machine === undefined || formerMachines.includes(machine)) continue
      found.set(machine, (found.get(machine) ?? new Set()).add(name))
    }
  }
  return { stacks: new Set([...found.values()].flatMap((stacks) => [...stacks])), problems: [...found].map(([machine, stacks]) => sameHostname(hostname, machine, { shared: names.filter((name) => stacks.has(name)), others: [...stacks].filter((name) => !names.includes(name)) })) }
}

/** The older ones count as this machine's own if the newest are: it lost its state folder. */
async function recordMachines(run: Run, { engine, record }: OpenRepository, unknown: readonly Snapshot[], own: string): Promise<void> {
  const { hostname } = run.configuration.backup
  let isShared = false
  for (const snapshot of unknown.slice(-mostReadPerStack)) {
    const path = snapshot.paths.find((one) => one.endsWith(`/${capsuleName}`))
    const read = path === undefined ? null : await engine.read(snapshot.id, path, { signal: run.signal })
    if (read?.ok === false) {
      // Asked again by the next run.
      isShared = true
      continue
    }
    const machine = read === null ? null : machineIn(read.value)
    const isOwn = machine === null || machine === own
    if (!isOwn) isShared = true
    record.noteOwner([snapshot.id], isOwn ? null : ownerName(hostname, machine, hostname))
  }
  if (!isShared) record.noteOwner(unknown.slice(0, -mostReadPerStack).map(({ id }) => id), null)
}

/** `null` for a capsule of a version that recorded no machine. */
function machineIn(content: Uint8Array): string | null {
  try {
    const { machineId: id } = JSON.parse(Buffer.from(content).toString('utf8')) as Partial<Capsule>
    return typeof id === 'string' && /^[0-9a-f]+$/.test(id) ? id : null
  } catch {
    return null
  }
}

function sameHostname(hostname: string, machine: string, { shared, others }: { readonly shared: readonly string[]; readonly others: readonly string[] }): Problem {
  const consequence = shared.length > 0 ? `nothing of ${shared.join(', ')} was forgotten, because the snapshots of both would be` : `${others.join(', ')} of it cannot be told from this machine's`
  return {
    severity: shared.length > 0 ? 'error' : 'warning',
    code: 'same-hostname',
    message: `another machine (ID ${machine}) also backs up as ${hostname}: ${consequence}`,
    fix: `Set HOSTNAME in [local_backup] to a different name on one of them. If this machine has replaced the other one, set FORMER_MACHINES=${machine}`,
  }
}
