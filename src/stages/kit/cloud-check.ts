import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Engine, Failure, Snapshot, ToolRequest, Transport } from '@stackbk/contract'

import { errorFrom, StackbkError, messageWithReason } from '../../errors.js'
import { bestSnapshot, stackOf } from '../backup/stack-snapshots.js'
import { fetchFromCloud, valueOf } from '../cloud-files.js'
import { isDatedInFuture } from '../dated-in-future.js'
import { layoutOf } from '../layout.js'
import { isCapsule } from '../recover/held-path.js'
import type { Run } from '../run.js'
import { withPendingMarks } from '../pending-marks.js'
import { probe } from '../sync.js'
import { groupFiles, type FileList } from '../sync/file-list.js'
import { absentRoles } from '../sync/restorable.js'
import { asked } from '../sync/transfer.js'
import { unusable, type KitFile } from './archive.js'
import { kitNames } from './contents.js'
import type { KitManifest } from './manifest.js'
import type { RenewedFiles } from './renewed-files.js'

/** What was proven with the kit alone. */
export interface CloudCheck {
  /** In the copy. */
  readonly snapshots: number
  /** ISO 8601 UTC of the newest; `null` for none. */
  readonly newest: string | null
  /** Stacks of whose newest good snapshot a file was read out of the copy, as `NAME` or, from several hosts, `HOST/NAME`. */
  readonly read: readonly string[]
}

/** Of this host's environment, what says how to reach the network and how to speak, and no secret. Everything else is not there for the kit. */
const kept = /^(?:PATH|LANG|LC_.*|TZ|TMPDIR|https?_proxy|no_proxy|all_proxy|HTTPS?_PROXY|NO_PROXY|ALL_PROXY|SSL_CERT_(?:FILE|DIR))$/

/** So many packs are fetched for one file at most: its trees, and the one that it is in. */
const mostPacks = 50

/**
 * Unpacks the kit beside nothing and works with it against the cloud: reaches the copy, fetches its keys and lists, opens it
 * with the kit's password, and reads one file of each stack's newest snapshot. Leaves nothing behind.
 *
 * Throws `remote-unreachable` or `transfer-failed` (5), `tool-missing` (4), and `corrupt` (6) for everything that is the kit's fault.
 */
export async function checkAgainstCloud(run: Run, files: readonly KitFile[], manifest: KitManifest, renewed: RenewedFiles): Promise<CloudCheck> {
  const secrets = mkdtempSync(join(memoryFolder(), 'stackbk-kit-'))
  const copy = mkdtempSync(join(tmpdir(), 'stackbk-kit-'))
  const bringBack = returning(secrets, files, renewed)
  try {
    const home = join(secrets, 'home')
    mkdirSync(home, { mode: 0o700 })
    for (const { name, content } of files) writeFileSync(join(secrets, name), content, { mode: 0o600 })
    const environment = { ...Object.fromEntries(Object.keys(process.env).filter((name) => !kept.test(name)).map((name) => [name, undefined])), HOME: home }
    const exec = { run: (request: ToolRequest) => run.exec.run(bare(request, environment)), start: (request: ToolRequest) => run.exec.start(bare(request, environment)) }
    const kit = run.withConfiguration({ file: join(secrets, kitNames.configuration), environment: { ...onlyKept(), HOME: home }, needs: ['repository', 'password', 'remote'], exec, dataFolder: join(secrets, 'providers') })
    try {
      return await proven(run, { engine: await kit.engine(), transport: await kit.transport(), copy, manifest, bringBack })
    } finally {
      await kit.close()
    }
  } catch (error) {
    throw asKitsFault(error)
  } finally {
    await bringBack()
    rmSync(secrets, { recursive: true, force: true })
    rmSync(copy, { recursive: true, force: true })
  }
}

/** Returns a function that brings back what was changed in the kit's unpacked files since its last call. */
function returning(folder: string, files: readonly KitFile[], renewed: RenewedFiles): () => Promise<void> {
  const known = new Map(files.map((file) => [file.name, file.content]))
  return async () => {
    for (const [name, content] of known) {
      const now = contentOf(join(folder, name))
      if (now === null || Buffer.from(now).equals(content)) continue
      await renewed.bringBack({ name, content }, now)
      known.set(name, now)
    }
  }
}

function contentOf(path: string): Uint8Array | null {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}

interface Proof {
  readonly engine: Engine
  readonly transport: Transport
  /** An empty folder. */
  readonly copy: string
  readonly manifest: KitManifest
  /** Called as soon as a token may have been renewed, so that a kill has the shortest time to lose it. */
  readonly bringBack: () => Promise<void>
}

async function proven(run: Run, { engine, transport, copy, manifest, bringBack }: Proof): Promise<CloudCheck> {
  const layout = layoutOf(run, engine)
  for (const provider of [engine, transport]) valueOf(await provider.ready({ signal: run.signal }))
  try {
    await probe(run, transport)
  } finally {
    await bringBack()
  }
  run.reporter.step('fetching keys and lists from the copy')
  const { list } = groupFiles(layout, valueOf(await asked(run, () => transport.list('', { signal: run.signal }))))
  if (absentRoles(list).length > 0) throw unusable(`${transport.location} holds no repository`, 'Run: stackbk sync')
  const early = layout.listsWithoutData === true ? list.filter(({ group }) => group.role !== 'data') : list
  await fetchFromCloud(run, transport, copy, early)
  if (engine.completeCopy !== undefined) valueOf(await engine.completeCopy(copy))

  run.reporter.step("opening the copy with the kit's password")
  const opened = engine.at(copy)
  const { id } = valueOf(await opened.open({ signal: run.signal }))
  if (id !== manifest.repositoryId) throw unusable(`the copy is another repository: its ID is ${id.slice(0, 10)}, the kit's ${manifest.repositoryId.slice(0, 10)}`)
  const snapshots = withPendingMarks(valueOf(await opened.snapshots({}, { signal: run.signal })), run.state.marks)
  const read: string[] = []
  const newest = newestOfEach(snapshots)
  const hosts = new Set(newest.map(({ host }) => host))
  for (const snapshot of newest) {
    run.reporter.step(`reading out of the newest snapshot of ${stackOf(snapshot) ?? ''}`)
    await readOne(run, { engine: opened, transport, copy, list: list.filter((part) => !early.includes(part)) }, snapshot)
    read.push(hosts.size > 1 ? `${snapshot.host}/${stackOf(snapshot) ?? ''}` : (stackOf(snapshot) ?? ''))
  }
  return { snapshots: snapshots.length, newest: snapshots.findLast((snapshot) => !isDatedInFuture(snapshot))?.time ?? null, read }
}

function newestOfEach(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  const newest = new Map<string, Snapshot>()
  for (const snapshot of snapshots) if (stackOf(snapshot) !== null) newest.set(`${snapshot.host}\0${stackOf(snapshot)}`, snapshot)
  return [...newest.values()].flatMap((last) => bestSnapshot(snapshots, stackOf(last) ?? '', last.host) ?? [])
}

/** The capsule is small and in every snapshot. The engine says which packs it lacks, and those alone are fetched. */
async function readOne(run: Run, { engine, transport, copy, list }: { readonly engine: Engine; readonly transport: Transport; readonly copy: string; /** What was not fetched yet. */ readonly list: FileList }, snapshot: Snapshot): Promise<void> {
  const path = snapshot.paths.find(isCapsule)
  if (path === undefined) throw unusable(`the snapshot ${snapshot.id.slice(0, 8)} has no capsule`, 'Run: stackbk backup, then: stackbk sync')
  const fetched = new Set<string>()
  for (;;) {
    const answer = await engine.read(snapshot.id, path, { signal: run.signal })
    if (answer.ok) {
      JSON.parse(Buffer.from(answer.value).toString('utf8'))
      return
    }
    const words = `${answer.failure.message} ${answer.failure.toolOutput ?? ''}`
    const missing = list.map(({ group, files }) => ({ group, files: files.filter((file) => !fetched.has(file.path) && words.includes(file.path.slice(file.path.lastIndexOf('/') + 1))) })).filter(({ files }) => files.length > 0)
    if (missing.length === 0 || fetched.size >= mostPacks) throw errorFrom(answer.failure)
    await fetchFromCloud(run, transport, copy, missing)
    for (const { files } of missing) for (const file of files) fetched.add(file.path)
  }
}

/** What is neither of these lies in the kit, or in what it leads to. */
const notTheKitsFault: readonly (Failure['kind'] | 'interrupted' | 'busy')[] = ['remote-unreachable', 'transfer-failed', 'stalled', 'timed-out', 'tool-missing', 'tool-too-old', 'tool-not-answering', 'cancelled', 'interrupted', 'busy', 'corrupt']

function asKitsFault(error: unknown): unknown {
  if (error instanceof StackbkError) {
    return notTheKitsFault.some((kind) => kind === error.kind) ? error : unusable([messageWithReason(error), ...error.problems.map(({ message }) => message)].filter((part) => part !== '').join(': '))
  }
  return error instanceof SyntaxError ? unusable(`a file read out of the copy is not what it should be: ${error.message}`) : error
}

function bare(request: ToolRequest, environment: Readonly<Record<string, string | undefined>>): ToolRequest {
  return { ...request, env: { ...environment, ...request.env } }
}

function onlyKept(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)))
}

/** Where what is written is in memory alone: secrets that a kill leaves there are gone with the next start of the machine at the latest. */
function memoryFolder(): string {
  const folder = '/dev/shm'
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true && process.getuid !== undefined ? folder : tmpdir()
}
