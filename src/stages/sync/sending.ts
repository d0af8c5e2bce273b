import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, Failure, LayoutGroup, Transport, TransportTraits } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { compareRemote } from '../remote-contents.js'
import type { OpenRepository } from '../repository.js'
import type { Run } from '../run.js'
import type { CheckedFiles } from './checked-files.js'
import type { CopiedFile, FileList } from './file-list.js'
import { localList, missingFrom } from './listing.js'
import { placeGroup } from './placement.js'
import type { RemoteConfig } from './remote-identity.js'
import { SoundFiles } from './sound-files.js'
import { asked, type Tally } from './transfer.js'

/** What one sync works with. */
export interface Work {
  readonly run: Run
  readonly transport: Transport
  readonly repository: OpenRepository
  readonly root: string
  /** As it was before anything was sent. */
  readonly remote: FileList
  readonly remoteConfig: RemoteConfig
  readonly checked: CheckedFiles
  readonly limit: () => { readonly timeoutMs?: number }
}

/**
 * How the sending ended. `begun`: transfers that there were. `spared`: local files that are rotten, of which the remote holds
 * the sound ones. `rotten`: `corrupt` are sound nowhere, so no index and no snapshot was sent.
 */
export type Sent =
  | { readonly end: 'sent'; readonly begun: number; readonly list: FileList; readonly spared: readonly string[] }
  | { readonly end: 'rotten'; readonly begun: number; readonly corrupt: readonly string[]; readonly spared: readonly string[] }
  | { readonly end: 'failed'; readonly begun: number; readonly failure: Failure }

/** So often the list is taken anew because a file of it has gone, as by another program's prune. */
const mostLists = 5

/** So much is compared with its names before the first transfer begins; each later one takes what was found sound meanwhile. Bytes. */
const leastBytesAtOnce = 64 * 1024 * 1024

const neverStill: Failure = { kind: 'failed', message: 'another program goes on removing files of the repository, so no list of them holds', fix: 'Run it again when that has ended: stackbk sync' }

/** Sends what is missing in commit order. A file that vanishes meanwhile makes the list a thing of the past: it is taken anew. */
export async function sendWhileItHoldsStill(work: Work, firstList: FileList, tally: Tally): Promise<Sent> {
  const { run, repository, root } = work
  let list = firstList
  for (let begun = 0, lists = 1; ; lists++) {
    const sending = new Sending(work, list, tally, begun)
    const sent = await sending.send()
    begun = sent.begun
    const isOfThePast = sent.end !== 'sent' && list.some(({ files }) => files.some(({ path }) => !existsSync(join(root, path))))
    if (!isOfThePast || run.signal.aborted) return sent
    if (lists === mostLists) return { end: 'failed', begun, failure: neverStill }
    run.log('warning', 'the repository was changed by another program, and its list of files is taken anew')
    list = await localList(run, repository.engine, root)
  }
}

/** Ends the sending of one list, from wherever it is. */
class SendingFailed extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

type Missing = FileList[number]

/** The sending of one list. */
class Sending {
  readonly #work: Work
  readonly #list: FileList
  readonly #tally: Tally
  readonly #corrupt: string[] = []
  readonly #spared: string[] = []
  readonly #mended = new Set<string>()
  /** What has gone up of each group so far. */
  readonly #placed = new Map<string, { readonly files: number; readonly bytes: number }>()
  #isUploading = false
  #begun: number

  constructor(work: Work, list: FileList, tally: Tally, begun: number) {
    this.#work = work
    this.#list = list
    this.#tally = tally
    this.#begun = begun
  }

  async send(): Promise<Sent> {
    const { remote, remoteConfig } = this.#work
    const missing = missingFrom(remote, this.#list, remoteConfig)
    try {
      await this.#mendBroken(missing)
      for (const part of missing.filter(({ group }) => !needsAllBefore(group))) await this.#sendWhileComparing(part)
      const last = missing.filter(({ group }) => needsAllBefore(group))
      const sound: Missing[] = []
      for (const { group, files } of last) sound.push({ group, files: await this.#soundOf({ group, files: files.filter(({ path }) => !this.#mended.has(path)) }) })
      if (this.#corrupt.length > 0) return { end: 'rotten', begun: this.#begun, corrupt: this.#corrupt.toSorted(), spared: this.#spared }
      for (const part of sound) if (part.files.length > 0) await this.#place(part.group, part.files, part.files)
      return { end: 'sent', begun: this.#begun, list: this.#list, spared: this.#spared }
    } catch (error) {
      if (error instanceof SendingFailed) return { end: 'failed', begun: this.#begun, failure: error.failure }
      if (this.#work.run.signal.aborted) return { end: 'failed', begun: this.#begun, failure: { kind: 'cancelled', message: 'the sync was interrupted' } }
      throw error
    }
  }

  /**
   * On a remote that can neither show whole files only nor move them into place, a cut upload leaves half an index or snapshot
   * under its name: that is put right before anything else. What it needs went up before it.
   */
  async #mendBroken(missing: FileList): Promise<void> {
    const there = sizesOf(this.#work.remote)
    const broken = missing.filter(({ group }) => needsAllBefore(group)).map(({ group, files }) => ({ group, files: files.filter(({ path }) => there.has(path)) }))
    for (const part of broken) {
      const sound = part.files.length === 0 ? [] : await this.#soundOf(part)
      if (sound.length > 0) await this.#place(part.group, sound, sound)
      for (const { path } of sound) this.#mended.add(path)
    }
  }

  /** Data, mostly: while some is on its way, the next is compared with its names. */
  async #sendWhileComparing({ group, files }: Missing): Promise<void> {
    if (files.length === 0) return
    if (group.nameIs === 'none') return this.#place(group, files, files)
    const comparing = this.#compare({ group, files })
    try {
      for (let part = await comparing.take(leastBytesAtOnce); part !== null; part = await comparing.take(leastBytesAtOnce)) await this.#place(group, part, files)
      await this.#judge(group, comparing)
    } finally {
      comparing.end()
    }
  }

  async #soundOf({ group, files }: Missing): Promise<readonly CopiedFile[]> {
    if (files.length === 0 || group.nameIs === 'none') return files
    const comparing = this.#compare({ group, files })
    try {
      const sound = (await comparing.take(Number.POSITIVE_INFINITY)) ?? []
      await this.#judge(group, comparing)
      return sound
    } finally {
      comparing.end()
    }
  }

  #compare({ group, files }: Missing): SoundFiles {
    const { run, root, checked } = this.#work
    const title = `checking ${group.role} files`
    run.reporter.step(title)
    return new SoundFiles({ root, files, checked, signal: run.signal, onFile: (filesDone) => this.#isUploading || run.reporter.step(title, { phase: 'check', filesDone, filesTotal: files.length }) })
  }

  /** What to make of those that are not sound: where the remote has the sound one, the copy needs nothing of them. */
  async #judge(group: LayoutGroup, { corrupt, hasVanished, unreadable }: SoundFiles): Promise<void> {
    if (unreadable !== null) throw new SendingFailed({ kind: 'failed', message: `${join(this.#work.root, unreadable.path)} could not be read, so it is not known whether it is intact`, toolOutput: unreadable.reason, fix: 'See that the disk of the repository is mounted and that this user may read it, then run: stackbk sync' })
    if (hasVanished) throw new SendingFailed({ kind: 'not-found', message: 'a file of the repository has gone' })
    const known = [...this.#corrupt, ...this.#spared]
    const found = corrupt.filter((path) => !known.includes(path))
    if (found.length === 0) return
    const { run, transport, remote, root } = this.#work
    assertRepositoryReadable(root, this.#list)
    const there = sizesOf(remote)
    const copies = found.filter((path) => there.has(path)).map((path) => ({ group, file: { path, size: there.get(path) ?? 0 } }))
    const compared = await compareRemote(run, transport, copies)
    if (!compared.ok) throw new SendingFailed(compared.failure)
    const rotten = new Set(compared.value.rotten.map(({ file }) => file.path))
    this.#spared.push(...copies.map(({ file }) => file.path).filter((path) => !rotten.has(path)))
    this.#corrupt.push(...found.filter((path) => !this.#spared.includes(path)))
  }

  /** @param all of which these are a part, for the progress */
  async #place(group: LayoutGroup, files: readonly CopiedFile[], all: readonly CopiedFile[]): Promise<void> {
    const { run, transport, root, limit } = this.#work
    const traits = await this.#traits()
    if (!traits.ok) throw new SendingFailed(traits.failure)
    const title = `uploading ${group.name}: ${counted(all.length, 'file')}`
    const [bytesTotal, before] = [sumOf(all), { ...this.#tally }]
    const earlier = this.#placed.get(group.name) ?? { files: 0, bytes: 0 }
    run.reporter.step(title)
    this.#begun++
    this.#isUploading = true
    try {
      const placed = await placeGroup(
        run,
        transport,
        traits.value,
        {
          group,
          files,
          root,
          limit,
          onProgress: (progress) => run.reporter.step(title, { ...progress, bytesDone: earlier.bytes + (progress.bytesDone ?? 0), bytesTotal, filesDone: earlier.files + (progress.filesDone ?? 0), filesTotal: all.length }),
        },
        this.#tally,
      )
      if (!placed.ok) throw new SendingFailed(placed.failure)
    } finally {
      this.#isUploading = false
    }
    this.#placed.set(group.name, { files: earlier.files + this.#tally.files - before.files, bytes: earlier.bytes + this.#tally.bytes - before.bytes })
  }

  /** Asked when there is something to send; the transport knows them from then on. */
  #traits(): Promise<Answer<TransportTraits>> {
    const { run, transport } = this.#work
    return asked(run, () => transport.traits({ signal: run.signal }))
  }
}

/** Throws where the disk of the repository does not answer any more: what cannot be read on it is not known to be corrupt. */
function assertRepositoryReadable(root: string, list: FileList): void {
  for (const { path } of list.flatMap(({ group, files }) => (group.role === 'config' ? files : []))) {
    try {
      readFileSync(join(root, path))
    } catch (error) {
      throw new SendingFailed({ kind: 'failed', message: `the repository ${root} could not be read any more`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'Mount its disk, then run: stackbk sync' })
    }
  }
}

/** These make a copy valid or not: they go up when all that they may need is there. */
function needsAllBefore({ role }: LayoutGroup): boolean {
  return role === 'index' || role === 'snapshot'
}

function sizesOf(list: FileList): ReadonlyMap<string, number> {
  return new Map(list.flatMap(({ files }) => files.map(({ path, size }) => [path, size])))
}

function sumOf(files: readonly CopiedFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
