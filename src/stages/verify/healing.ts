import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Failure, Transport } from '@stackbk/contract'

import { problemFrom } from '../../errors.js'
import { writeFileAtomically } from '../../host/atomic-write.js'
import { layoutOf } from '../layout.js'
import { withScratch, type NamedFile } from '../remote-contents.js'
import { checkContents } from '../restore/content-check.js'
import type { Run } from '../run.js'
import { groupFiles } from '../sync/file-list.js'
import { placeGroup } from '../sync/placement.js'
import { asked } from '../sync/transfer.js'

/** Sends one file again if the local one is sound. */
export async function sendSound(run: Run, transport: Transport, root: string, { group, file }: NamedFile): Promise<boolean> {
  try {
    const here = { path: file.path, size: statSync(join(root, file.path)).size }
    if ((await checkContents(root, [{ group, files: [here] }], { signal: run.signal })).corrupt.length > 0) return false
    const traits = await asked(run, () => transport.traits({ signal: run.signal }))
    const sent = traits.ok ? await placeGroup(run, transport, traits.value, { group, files: [here], root, replaces: true, limit: () => ({}) }, { files: 0, bytes: 0, attempts: 0 }) : traits
    if (!sent.ok) run.log('error', problemFrom(sent.failure).message, { file: file.path })
    return sent.ok
  } catch (error) {
    run.log('error', 'a file could not be sent again', { file: file.path, reason: String(error) })
    return false
  }
}

/** What became of files that were asked of the remote. */
export interface Fetched {
  /** An intact copy is in place now. */
  readonly healed: ReadonlySet<string>
  /** The remote's copy is corrupt too. */
  readonly corruptThere: readonly string[]
  /** The remote did not deliver them; the local ones are as they were. */
  readonly notFetched: readonly string[]
  /** Why the last of those did not come. */
  readonly failure: Failure | null
}

/** Fetches intact copies of local files. Each is compared before it takes its place, in one step: a local file never goes before. */
export async function fetchSound(run: Run, transport: Transport, root: string, files: readonly string[]): Promise<Set<string>> {
  return new Set((await fetchIntact(run, transport, root, files)).healed)
}

/** As {@link fetchSound}, with what became of the others. */
export async function fetchIntact(run: Run, transport: Transport, root: string, files: readonly string[]): Promise<Fetched> {
  const healed = new Set<string>()
  const corruptThere: string[] = []
  const notFetched: string[] = []
  let failure: Failure | null = null
  if (files.length === 0) return { healed, corruptThere, notFetched, failure }
  const engine = await run.engine()
  return withScratch(run, async (folder) => {
    for (const file of files) {
      const came = await asked(run, () => transport.download({ files: [file], localRoot: folder, whenSameSize: 'replace', stallTimeoutMs: run.configuration.backup.stallTimeoutMs, signal: run.signal }))
      if (!came.ok) {
        run.log('warning', problemFrom(came.failure).message, { file })
        notFetched.push(file)
        failure = came.failure
        continue
      }
      const { list } = groupFiles(layoutOf(run, engine), [{ path: file, size: 0 }])
      if ((await checkContents(folder, list, { signal: run.signal })).corrupt.length > 0) {
        corruptThere.push(file)
        continue
      }
      try {
        mkdirSync(dirname(join(root, file)), { recursive: true, mode: 0o700 })
        writeFileAtomically(join(root, file), readFileSync(join(folder, file)), { mode: 0o400 })
        healed.add(file)
      } catch (error) {
        // A full disk, or a file system that is damaged itself: the other files can be repaired all the same.
        notFetched.push(file)
        failure = { kind: 'failed', message: `${join(root, file)} could not be replaced`, toolOutput: error instanceof Error ? error.message : String(error) }
        run.log('error', failure.message, { reason: failure.toolOutput })
      }
      rmSync(join(folder, file), { force: true })
    }
    return { healed, corruptThere, notFetched, failure }
  })
}
