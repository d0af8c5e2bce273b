import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, Snapshot } from '@stackbk/contract'

import { problemFrom, type Problem } from '../errors.js'
import { machineId } from '../host/machine-id.js'
import { ensureFolder } from '../host/state-folder.js'
import { ledgerTag, ownTag } from './backup/stack-snapshots.js'
import { machineTags, taggedMachine } from './machine-tag.js'
import type { OpenRepository } from './repository.js'
import type { Run } from './run.js'

/** The file in the snapshot that carries a ledger. */
const ledgerFile = 'stackbk-ledger.json'

/** A ledger lists this many forgotten snapshots, the newest; a mirror that is further behind asks for --allow-delete. */
const mostListed = 10_000

/** What one host tells the others that use its repository. It travels in a small snapshot of its own. */
interface ForgottenLedger {
  readonly schemaVersion: 1
  readonly repositoryId: string
  readonly host: string
  readonly writtenAt: string
  /** IDs of snapshots that stackbk on this host has forgotten, the oldest act first. */
  readonly forgotten: readonly string[]
}

/**
 * Writes what this host has forgotten into the repository, if another host uses it too, so that whichever of them mirrors the
 * repository can prove these deletions. Does nothing if the others know it all already. Its failure is a warning: the other
 * host's sync then refuses to delete, and the next run writes it.
 */
export async function publishForgotten(run: Run, repository: OpenRepository): Promise<readonly Problem[]> {
  const { record, snapshots } = repository
  const host = run.configuration.backup.hostname
  // Another machine may have this one's hostname.
  const isOfAnother = (snapshot: Snapshot): boolean => snapshot.host !== host || record.ownerOf(snapshot.id)?.includes('/') === true
  const isShared = snapshots.some((snapshot) => isOfAnother(snapshot) && (snapshot.tags.includes(ownTag) || isLedger(snapshot)))
  if (!isShared || run.dryRun || run.signal.aborted || record.unreadable !== null) return []
  const machine = machineId(run.state)
  const old = snapshots.filter((snapshot) => isLedger(snapshot) && snapshot.host === host && taggedMachine(snapshot) === machine).map(({ id }) => id)
  // A host that only mirrors leaves an empty ledger once, by which the others know that theirs are read.
  const onlyMirrors = !snapshots.some((snapshot) => snapshot.host === host)
  const hasNews = old.length > 0 ? !record.isPublished : record.forgottenHere().length > 0 || onlyMirrors
  if (!hasNews) return []
  const ledger: ForgottenLedger = { schemaVersion: 1, repositoryId: repository.repository.id, host, writtenAt: new Date().toISOString(), forgotten: [...record.forgottenHere(), ...old].slice(-mostListed) }
  const written = await writeLedger(run, repository, ledger, [ledgerTag, ...machineTags(run.state)])
  if (!written.ok) return [problemFrom(written.failure, { severity: 'warning', code: 'ledger-not-written' })]
  record.noteSeen([written.value])
  await removeOldLedgers(repository, old)
  // What was just forgotten is in the new ledger already.
  record.notePublished()
  run.log('info', 'the other hosts of this repository can read what was forgotten', { snapshots: ledger.forgotten.length })
  return []
}

/**
 * Returns which of these snapshots another host has forgotten, by its ledger in the repository, with that host. A host is
 * believed only for snapshots that it made itself, as this host saw them, or that were never here.
 */
export async function forgottenByOthers(run: Run, repository: OpenRepository, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const proven = new Map<string, string>()
  const { record } = repository
  if (ids.length === 0 || record.unreadable !== null) return proven
  for (const [owner, snapshot] of ledgersOfOthers(run, repository)) {
    const ledger = await readLedger(run, repository, snapshot)
    const listed = new Set(ledger?.forgotten ?? [])
    for (const id of ids) {
      const maker = record.ownerOf(id)
      if (listed.has(id) && (maker === owner || (maker === null && !record.wasSeen(id)))) proven.set(id, owner)
    }
  }
  return proven
}

/** Returns who made a snapshot, as the record names it: the host, or for another machine of this hostname both. */
export function ownerName(host: string, machine: string | null, ownHost: string): string {
  return host === ownHost && machine !== null ? `${host}/${machine}` : host
}

/** The newest ledger of each other host, or other machine of this hostname. */
function ledgersOfOthers(run: Run, { snapshots }: OpenRepository): ReadonlyMap<string, Snapshot> {
  const ownHost = run.configuration.backup.hostname
  const own = machineId(run.state)
  const newest = new Map<string, Snapshot>()
  for (const snapshot of snapshots.filter(isLedger)) {
    if (snapshot.host === ownHost && taggedMachine(snapshot) === own) continue
    newest.set(ownerName(snapshot.host, taggedMachine(snapshot), ownHost), snapshot)
  }
  return newest
}

async function readLedger(run: Run, { engine, repository }: OpenRepository, snapshot: Snapshot): Promise<ForgottenLedger | null> {
  const path = snapshot.paths.find((one) => one.endsWith(`/${ledgerFile}`))
  if (path === undefined) return null
  const read = await engine.read(snapshot.id, path, { signal: run.signal })
  if (!read.ok) {
    run.log('warning', 'what another host has forgotten could not be read', { host: snapshot.host, reason: read.failure.message })
    return null
  }
  const ledger = parsedLedger(read.value)
  return ledger?.repositoryId === repository.id && ledger.host === snapshot.host ? ledger : null
}

function parsedLedger(content: Uint8Array): ForgottenLedger | null {
  try {
    const ledger = JSON.parse(Buffer.from(content).toString('utf8')) as Partial<ForgottenLedger> | null
    return Array.isArray(ledger?.forgotten) && ledger.forgotten.every((id) => typeof id === 'string') ? (ledger as ForgottenLedger) : null
  } catch {
    return null
  }
}

async function writeLedger(run: Run, { engine }: OpenRepository, ledger: ForgottenLedger, tags: readonly string[]): Promise<Answer<string>> {
  ensureFolder(run.state.cache)
  const folder = mkdtempSync(join(realpathSync(run.state.cache), 'ledger-'))
  try {
    const path = join(folder, ledgerFile)
    writeFileSync(path, `${JSON.stringify(ledger)}\n`, { mode: 0o600 })
    const prepared = engine.prepare({ paths: [path], tags, host: ledger.host, parent: null, excludes: [], stallTimeoutMs: run.configuration.backup.stallTimeoutMs })
    const ready = await prepared.ready
    if (!ready.ok) {
      await prepared.abandon()
      return ready
    }
    const taken = await prepared.take({ signal: run.signal })
    return taken.ok ? { ok: true, value: taken.value.id } : taken
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The new ledger lists the old ones as forgotten, so that a copy may drop them too. One that stays is removed by a later run. */
async function removeOldLedgers({ engine, record }: OpenRepository, old: readonly string[]): Promise<void> {
  if (old.length === 0 || !record.willForget(old).ok) return
  const forgotten = await engine.forget(old, { prune: false })
  if (forgotten.ok) return record.didForget(forgotten.value.removed)
  const present = await engine.snapshots()
  if (present.ok) record.settle(present.value.map(({ id }) => id))
}

function isLedger(snapshot: Snapshot): boolean {
  return snapshot.tags.includes(ledgerTag)
}
