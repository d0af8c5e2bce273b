import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Engine, Transport } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../../errors.js'
import { layoutOf } from '../layout.js'
import { compareRemote, type NamedFile } from '../remote-contents.js'
import { knownRepository, SnapshotRecord } from '../repository-memory.js'
import { concluded, type Outcome } from '../result.js'
import type { Run } from '../run.js'
import { frozenList, type FileList } from '../sync/file-list.js'
import { remoteList } from '../sync/listing.js'
import { probe } from '../sync/probe.js'
import { asked, remoteErrorFrom } from '../sync/transfer.js'
import { bringBack } from './from-trash.js'
import { sendSound } from './healing.js'
import { RemoteRotation } from './rotation.js'
import type { CorruptFile, VerifyChoices, VerifyResult } from './verify-result.js'

/** Compares the remote's files with their names, all or the share whose turn it is, and mends them from here or from its trash. Needs no password. */
export async function verifyRemote(run: Run, engine: Engine, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
  const layout = layoutOf(run, engine)
  const transport = await run.transport()
  const ready = await transport.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  await probe(run, transport)
  const { list, strays } = await remoteList(run, transport, engine)
  if (!list.some(({ group, files }) => group.role === 'config' && files.length > 0)) {
    throw new StackbkError({ kind: 'repository-missing', message: `${transport.location} holds no repository`, fix: 'Run: stackbk sync' })
  }
  const percent = choices.percent ?? 100
  const named = list.filter(({ group }) => group.nameIs === 'sha256').flatMap(({ group, files }) => files.map((file): NamedFile => ({ group, file })))
  const rotation = new RemoteRotation(run.state.repositories, transport.location)
  const compared = await compareRemote(run, transport, rotation.choose(named, percent), {
    onPart: ({ checked, rotten }) => rotation.note(checked.filter((entry) => !rotten.includes(entry)), new Date()),
  })
  if (!compared.ok) throw remoteErrorFrom(compared.failure)
  rotation.settle(named)

  const path = engine.location().path
  const healed = new Set<string>()
  const problems: Problem[] = []
  const rotten = compared.value.rotten.map(({ file }) => file.path)
  if (choices.repair) {
    if (path !== null) for (const entry of compared.value.rotten) if (await sendSound(run, transport, path, entry)) healed.add(entry.file.path)
    const known = knownRepository(run.state.repositories, engine.location().display)?.repositoryId ?? null
    const back = await bringBack(run, transport, {
      layout,
      list,
      strays,
      rotten: rotten.filter((file) => !healed.has(file)),
      local: path === null ? [] : await frozenList(path, layout).catch(() => []),
      record: known === null ? null : new SnapshotRecord(run.state.repositories, known),
    })
    for (const file of back.files) healed.add(file)
    problems.push(...back.problems)
  }
  const corrupt: CorruptFile[] = [...rotten, ...[...healed].filter((file) => !rotten.includes(file))].map((file) => ({ file, where: 'remote', healed: healed.has(file) }))
  const unhealed = corrupt.filter((file) => !file.healed)
  if (unhealed.length > 0) problems.push({ severity: 'error', code: 'rotten-on-remote', message: `${counted(unhealed.length, 'file')} on ${transport.location} ${unhealed.length === 1 ? 'does not match its checksum' : 'do not match their checksums'}: ${unhealed.slice(0, 3).map(({ file }) => file).join(', ')}`, fix: choices.repair ? 'Neither the local repository nor the trash has an intact copy' : 'Run: stackbk verify --cloud --repair' })
  if (path !== null) problems.push(...(await configProblems(run, transport, path, list)))
  const failed = problems.some(({ severity }) => severity === 'error')
  return concluded(run, { depth: `remote ${percent} %`, checked: compared.value.checked.length, corrupt }, { status: failed ? 'failed' : 'ok', problems, codes: [unhealed.length > 0 ? exitCodes.ofKind('corrupt') : failed ? exitCodes.ofKind('transfer-failed') : 0] })
}

/** `config` has no name to be compared with. Where it differs from the local one, a sync finds out which of the two holds. */
async function configProblems(run: Run, transport: Transport, root: string, list: FileList): Promise<readonly Problem[]> {
  const config = list.find(({ group }) => group.role === 'config')?.files[0]
  if (config === undefined || !existsSync(join(root, config.path))) return []
  const read = await asked(run, () => transport.read(config.path, { signal: run.signal }))
  // What was found before must not be lost for that.
  if (!read.ok) return [problemFrom(read.failure, { severity: 'warning', code: 'config-not-compared' })]
  if (Buffer.from(read.value).equals(readFileSync(join(root, config.path)))) return []
  return [{ severity: 'warning', code: 'config-differs', message: `${config.path} on ${transport.location} differs from the local repository: it is older, corrupt, or from another repository`, fix: 'Run: stackbk sync (it says which, and uploads it again if that is safe)' }]
}
