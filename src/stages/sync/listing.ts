import { setTimeout as delay } from 'node:timers/promises'

import type { Engine, Transport } from '@stackbk/contract'

import { StackbkError } from '../../errors.js'
import { layoutOf } from '../layout.js'
import type { Run } from '../run.js'
import { frozenList, groupFiles, type CopiedFile, type FileList, type RemoteLook } from './file-list.js'
import { probe } from './probe.js'
import type { RemoteConfig } from './remote-identity.js'
import { asked, remoteErrorFrom } from './transfer.js'

/** The repository's files at one moment. Throws where a folder of it cannot be read. */
export async function localList(run: Pick<Run, 'configuration'>, engine: Engine, root: string): Promise<FileList> {
  const layout = layoutOf(run, engine)
  try {
    return await frozenList(root, layout)
  } catch (error) {
    throw new StackbkError({
      kind: 'failed',
      code: 'repository-not-listed',
      message: `the files of ${engine.location().display} could not be listed`,
      detail: error instanceof Error ? error.message : String(error),
      fix: 'Check its disk and permissions',
    })
  }
}

/** What the remote holds of the layout, and besides. */
export async function remoteList(run: Run, transport: Transport, engine: Engine): Promise<{ list: FileList; strays: readonly CopiedFile[] }> {
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  if (!listed.ok) throw remoteErrorFrom(listed.failure)
  return groupFiles(layoutOf(run, engine), listed.value)
}

/** A list that comes so soon shows by itself that the remote answers. */
const soonMs = 1_000

/**
 * The first look at the remote: its files, and what its `config` holds; `null` where it has none. What is there and what the
 * `config` holds are asked at once: each waits for the same road. Throws where the remote cannot be reached; whether it can is
 * asked by itself only where the list does not come soon, since that may take long with a large one and with a dead one alike.
 */
export async function lookAtRemote(run: Run, transport: Transport, engine: Engine): Promise<RemoteLook> {
  const given = new AbortController()
  const signal = AbortSignal.any([run.signal, given.signal])
  const configPath = layoutOf(run, engine).groups.find(({ role }) => role === 'config')?.path
  const [listing, reading] = [transport.list('', { signal }), configPath === undefined ? null : transport.read(configPath, { signal })]
  // Their turn comes below.
  for (const one of [listing, reading]) one?.catch(() => {})
  try {
    run.reporter.step(`reaching ${transport.location}`)
    const early = await soon(listing)
    if (early?.ok !== true) await probe(run, transport)
    const listed = early ?? (await listing)
    const found = listed.ok ? groupFiles(layoutOf(run, engine), listed.value) : await remoteList(run, transport, engine)
    const config = found.list.find(({ group }) => group.role === 'config')?.files[0]
    if (config === undefined || reading === null) return { ...found, config: null }
    const first = await reading
    const read = first.ok ? first : await asked(run, () => transport.read(config.path, { signal: run.signal }))
    if (!read.ok) throw remoteErrorFrom(read.failure)
    return { ...found, config: read.value }
  } finally {
    given.abort()
  }
}

/** `null`: not yet. */
async function soon<T>(answer: Promise<T>): Promise<T | null> {
  const waiting = new AbortController()
  try {
    return await Promise.race([answer, delay(soonMs, null, { signal: waiting.signal }).catch(() => null)])
  } finally {
    waiting.abort()
  }
}

/** What has to go up, in commit order. A file of another size is there only by half. */
export function missingFrom(remote: FileList, local: FileList, config: RemoteConfig): FileList {
  const sizes = new Map(remote.flatMap(({ files }) => files.map((file) => [file.path, file.size])))
  return local.map(({ group, files }) => ({
    group,
    files: files.filter((file) => sizes.get(file.path) !== file.size || (group.role === 'config' && (config === 'older' || config === 'damaged'))),
  }))
}
