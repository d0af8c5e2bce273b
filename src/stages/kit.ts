import { existsSync, openSync, closeSync, readSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'

import { errorFrom, StackbkError, type Problem } from '../errors.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { assertAgeFile, isAgeFile, openKit, sealKit } from './kit/archive.js'
import { checkAgainstCloud, type CloudCheck } from './kit/cloud-check.js'
import { gatherKit, kitNames } from './kit/contents.js'
import { manifestFile, manifestIn, type KitManifest } from './kit/manifest.js'
import { kitPage } from './kit/page.js'
import { packedProgram } from './kit/program.js'
import { rememberKit, rememberKitCheck } from './kit/record.js'
import { RenewedFiles } from './kit/renewed-files.js'
import { layoutOf } from './layout.js'
import { openRepository } from './repository.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import type { Run } from './run.js'

/** So short a passphrase is found by trying. Characters. */
const shortPassphrase = 12

export interface KitWriteBody {
  /** Absolute. */
  readonly file: string
  /** The page to print, beside it. */
  readonly page: string
  /** Names of the files in it. */
  readonly holds: readonly string[]
  readonly repositoryId: string
  readonly remote: string
  /** The tarball of stackbk in the kit; `null` without `--with-program`. */
  readonly program: string | null
}

export type KitWriteResult = ResultHeader & KitWriteBody

export interface KitCheckBody extends CloudCheck {
  readonly file: string
  readonly remote: string
  readonly repositoryId: string
  /** ISO 8601 UTC: when the kit was written. */
  readonly writtenAt: string
}

export type KitCheckResult = ResultHeader & KitCheckBody

export interface KitRequest {
  readonly file: string
  /** Called only when the file has been found usable: it may ask. */
  readonly passphrase: () => Promise<string>
}

/** What the kit says of the program that wrote it. */
export interface ProgramFacts {
  readonly version: string
  /** The folder of stackbk. */
  readonly root: string
  readonly withProgram: boolean
  /** Plugins that a new host needs too, with their versions. */
  readonly plugins: readonly string[]
}

/**
 * Writes the disaster kit and its page; `version` is stackbk's, `root` its folder, `withProgram` puts it into the kit, and `plugins`
 * names those that were installed in addition. Both appear whole or not at all; an older kit in the same place is replaced.
 *
 * Throws `usage` for a place that holds something else than a kit, as `openRepository` does where the repository does not
 * open, and `configuration` where a secret cannot be read.
 */
export async function writeKit(run: Run, request: KitRequest & ProgramFacts): Promise<Outcome<KitWriteResult>> {
  const file = resolve(request.file)
  const page = `${file}.txt`
  assertWritable(file)
  const engine = await run.engine()
  layoutOf(run, engine)
  const transport = await run.transport()
  for (const provider of [engine, transport]) {
    const ready = await provider.ready({ signal: run.signal })
    if (!ready.ok) throw errorFrom(ready.failure)
  }
  const opened = await openRepository({ ...run, dryRun: true }, { mayInit: false })
  if (opened === null) throw new StackbkError({ kind: 'repository-missing', message: 'there is no repository yet', fix: 'Run: stackbk backup' })
  const passphrase = await request.passphrase()
  run.reporter.step('gathering what a bare host needs')
  const contents = await gatherKit(run, engine, transport)
  const manifest: KitManifest = { schemaVersion: 1, createdAt: run.startedAt.toISOString(), host: run.configuration.backup.hostname, repositoryId: opened.repository.id, repository: opened.repository.location, remote: transport.location }
  if (request.withProgram) run.reporter.step('packing stackbk')
  const program = request.withProgram ? await packedProgram(request.root, request.version) : null
  const files = [...contents.files, ...(program === null ? [] : [program]), manifestFile(manifest)]
  const holds = [...files.map(({ name }) => name), kitNames.page].toSorted()
  const localRoot = opened.repository.path ?? '/srv/restored-repository'
  const text = kitPage({
    manifest,
    kit: basename(file),
    names: holds,
    placed: contents.placed,
    localRoot,
    version: request.version,
    program: program?.name ?? null,
    plugins: request.plugins,
    fetch: transport.byHand?.({ localRoot }) ?? [],
    extract: engine.byHand?.({ repository: localRoot }) ?? [],
  })
  run.reporter.step('encrypting the kit')
  const sealed = await sealKit([...files, { name: kitNames.page, content: Buffer.from(text) }], passphrase)
  writeFileAtomically(file, sealed, { mode: 0o600 })
  writeFileAtomically(page, text, { mode: 0o600 })
  rememberKit(run.state.kit, { at: run.startedAt, file, contents })
  const problems: Problem[] = passphrase.length < shortPassphrase ? [{ severity: 'warning', code: 'short-passphrase', message: `a passphrase of ${passphrase.length} characters can be guessed by brute force`, fix: 'Write the kit again with a longer one, such as five random words' }] : []
  return concluded(run, { file, page, holds, repositoryId: manifest.repositoryId, remote: manifest.remote, program: program?.name ?? null }, { status: 'ok', problems })
}

/**
 * Proves that the kit alone brings the repository back: unpacked into an empty folder, with nothing of this host's
 * configuration, home or secrets in reach.
 *
 * Throws `usage` for a file that is not there, `corrupt` (6) where the kit does not do it, `remote-unreachable` (5), and `busy`
 * (75) where a run of this host works with a token that the check may renew.
 */
export async function checkKit(run: Run, request: KitRequest): Promise<Outcome<KitCheckResult>> {
  const file = resolve(request.file)
  const content = readKit(file)
  const passphrase = await request.passphrase()
  run.reporter.step('opening the kit')
  const files = await openKit(content, passphrase)
  const manifest = manifestIn(files)
  const renewed = await RenewedFiles.open(run)
  const check = await checkAgainstCloud(run, files, manifest, renewed)
  rememberKitCheck(run.state.kit, { at: new Date(), writtenAt: manifest.createdAt })
  const body: KitCheckBody = { file, remote: manifest.remote, repositoryId: manifest.repositoryId, writtenAt: manifest.createdAt, ...check }
  const problems: Problem[] = check.read.length > 0 ? [] : [{ severity: 'warning', code: 'nothing-read', message: 'the copy holds no snapshot of a stack, so nothing could be read out of it', fix: 'Run: stackbk backup, then: stackbk sync' }]
  const failed = renewed.problems.some(({ severity }) => severity === 'error')
  return concluded(run, body, { status: failed ? 'partial' : 'ok', problems: [...problems, ...renewed.problems], codes: [failed ? 3 : 0] })
}

/** Throws `usage` for a file that cannot be read, and `corrupt` (6) for one that is not in age format. */
function readKit(file: string): Uint8Array {
  const refused = (message: string, detail = ''): StackbkError => new StackbkError({ kind: 'usage', code: 'kit-not-readable', message, detail, fix: 'Name a file that stackbk kit write has written' })
  let content: Uint8Array
  try {
    content = readFileSync(file)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? refused(`there is no kit ${file}`) : refused(`the kit ${file} cannot be read`, (error as Error).message)
  }
  assertAgeFile(content)
  return content
}

/** Throws `usage` before any secret is gathered. */
function assertWritable(file: string): void {
  const refused = (message: string, fix: string): StackbkError => new StackbkError({ kind: 'usage', code: 'kit-not-writable', message, fix })
  if (statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory() !== true) throw refused(`there is no folder ${dirname(file)}`, 'Make it, or name another folder')
  if (!existsSync(file)) return
  if (!statSync(file).isFile()) throw refused(`${file} is not a file`, 'Name a file')
  if (!isAgeFile(beginningOf(file))) throw refused(`${file} exists and is not a kit`, 'Name another file, or remove it')
}

function beginningOf(file: string): Uint8Array {
  const bytes = Buffer.alloc(64)
  const descriptor = openSync(file, 'r')
  try {
    return bytes.subarray(0, readSync(descriptor, bytes))
  } finally {
    closeSync(descriptor)
  }
}
