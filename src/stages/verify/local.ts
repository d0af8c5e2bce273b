import type { Answer, CheckResult, Engine, Failure, RepositoryLayout } from '@stackbk/contract'

import { counted } from '../../counted.js'
import { errorFrom, exitCodes, problemFrom, StackbkError, type Problem } from '../../errors.js'
import { adviseTool, toolCommands } from '../advice.js'
import { openRepository } from '../repository.js'
import { checkContents, type ContentCheck } from '../restore/content-check.js'
import { concluded, type Outcome } from '../result.js'
import type { Run } from '../run.js'
import { frozenList, groupFiles, type FileList } from '../sync/file-list.js'
import { asked } from '../sync/transfer.js'
import { fetchSound } from './healing.js'
import { LocalRotation } from './rotation.js'
import type { CorruptFile, VerifyChoices, VerifyResult } from './verify-result.js'

export async function verifyLocal(run: Run, engine: Engine, choices: VerifyChoices): Promise<Outcome<VerifyResult>> {
  const ready = await engine.ready({ signal: run.signal })
  if (!ready.ok) throw errorFrom(ready.failure)
  const { keys, repositoryId } = await openOrRepair(run, engine, choices.repair)
  run.reporter.step('checking the repository')
  const percent = choices.percent ?? 0
  const rotation = new LocalRotation(run.state.repositories, repositoryId, percent)
  const check = await engine.check({ readDataPercent: percent, ...rotation.part, signal: run.signal, onProgress: (progress) => run.reporter.step('checking the repository', progress) })
  if (!check.ok) throw errorFrom(check.failure)
  if (check.value.isSound) rotation.done()
  const depth = percent === 0 ? 'structure' : `data ${percent} %${rotation.words}`
  if (check.value.isSound && !choices.repair) return concluded(run, { depth, checked: 0, corrupt: [] }, { status: 'ok', problems: [] })

  const { path } = engine.location()
  run.reporter.step('checking every file against its checksum')
  const layout = engine.layout?.()
  const { list, found } = path === null || layout === undefined ? { list: [], found: { filesChecked: 0, corrupt: [] } } : await compareFiles(run, engine, path, layout)
  const corrupt: CorruptFile[] = [...keys.map((file): CorruptFile => ({ file, where: 'local', healed: true })), ...found.corrupt.map((file): CorruptFile => ({ file, where: 'local', healed: false }))]
  const repaired: Repair = path !== null && layout !== undefined && choices.repair ? await repairLocal(run, engine, path, { layout, list, corrupt, check: check.value }) : { corrupt, check: check.value, notChecked: null }
  const body = { depth, checked: found.filesChecked, corrupt: repaired.corrupt }
  const isRepaired = repaired.corrupt.every((file) => file.healed)
  if (repaired.notChecked !== null && isRepaired) {
    const problem = problemFrom(repaired.notChecked, { code: 'verification-not-made' })
    return concluded(run, body, { status: 'failed', problems: [{ ...problem, message: `${counted(repaired.corrupt.length, 'file')} ${repaired.corrupt.length === 1 ? 'was' : 'were'} repaired, and whether the repository is intact now could not be checked: ${problem.message}`, fix: 'Run: stackbk verify' }], codes: [exitCodes.ofKind(repaired.notChecked.kind)] })
  }
  const { errors } = repaired.check
  const isSound = repaired.check.isSound && isRepaired
  const problems: Problem[] = isSound ? [] : [{ severity: 'error', code: 'repository-damaged', message: `the repository does not pass its check: ${errors.at(-1) ?? `${counted(repaired.corrupt.length, 'file')} ${repaired.corrupt.length === 1 ? 'is' : 'are'} corrupt`}`, fix: choices.repair ? adviseTool('See what is lost: ', toolCommands(engine, null).checkData, 'Bring back what is intact with the tool itself') : 'Run: stackbk verify --repair' }]
  return concluded(run, body, { status: isSound ? 'ok' : 'failed', problems, codes: [isSound ? 0 : exitCodes.ofKind('corrupt')] })
}

/** Compares every file with its name. Throws where one cannot be read now, which says nothing of what it holds. */
async function compareFiles(run: Run, engine: Engine, root: string, layout: RepositoryLayout): Promise<{ list: FileList; found: ContentCheck }> {
  try {
    const list = await frozenList(root, layout)
    const found = await checkContents(root, list, { signal: run.signal })
    if (found.corrupt.length > 0) await assertStillOpens(engine, run.signal)
    return { list, found }
  } catch (error) {
    if (run.signal.aborted || error instanceof StackbkError) throw error
    await assertStillOpens(engine, run.signal)
    throw new StackbkError({ kind: 'failed', code: 'verification-not-made', message: `the files of ${root} could not all be read, so it is not known whether they are intact`, detail: error instanceof Error ? error.message : String(error), fix: 'See that its disk is mounted and that this user may read it, then run: stackbk verify' })
  }
}

/** Throws where the repository does not open any more: files of a disk that went away are not corrupt, and nothing is repaired in the folder below. */
async function assertStillOpens(engine: Engine, signal: AbortSignal): Promise<void> {
  const opened = await engine.open({ signal })
  if (!opened.ok && opened.failure.kind !== 'corrupt') throw errorFrom(opened.failure)
}

/** Nothing opens with a corrupt key, so keys are compared with their names first, and repaired where that is allowed. Returns those that were. */
async function openOrRepair(run: Run, engine: Engine, mayRepair: boolean): Promise<{ keys: readonly string[]; repositoryId: string }> {
  const open = async (): Promise<string> => (await openRepository({ ...run, dryRun: true }, { mayInit: false }))?.repository.id ?? ''
  try {
    return { keys: [], repositoryId: await open() }
  } catch (error) {
    const { path } = engine.location()
    const layout = engine.layout?.()
    if (!mayRepair || path === null || layout === undefined || !(error instanceof StackbkError) || error.kind !== 'corrupt') throw error
    const keys = (await frozenList(path, layout)).filter(({ group }) => group.role === 'key')
    const { corrupt } = await checkContents(path, keys, { signal: run.signal })
    const transport = await run.transport().catch(() => null)
    if (corrupt.length === 0 || transport === null || !(await transport.ready({ signal: run.signal })).ok) throw error
    const healed = await fetchSound(run, transport, path, corrupt)
    return { keys: [...healed], repositoryId: await open() }
  }
}

interface Damage {
  readonly layout: RepositoryLayout
  readonly list: FileList
  readonly corrupt: readonly CorruptFile[]
  readonly check: CheckResult
}

interface Repair extends Pick<Damage, 'corrupt' | 'check'> {
  /** Why the repository could not be checked after the repair, so that `check` is the one of before; `null` where it could. */
  readonly notChecked: Failure | null
}

/** So often the check is asked for what else is missing: it names no more than some at a time. */
const mostChecks = 10

/** Replaces rotten files by the remote's, then fetches what the check misses by name and the remote has. */
async function repairLocal(run: Run, engine: Engine, root: string, { layout, list, corrupt, check }: Damage): Promise<Repair> {
  if (check.isSound && corrupt.length === 0) return { corrupt, check, notChecked: null }
  const transport = await run.transport().catch(() => null)
  if (transport === null || !(await transport.ready({ signal: run.signal })).ok) return { corrupt, check, notChecked: null }
  const fetched = await fetchSound(run, transport, root, corrupt.filter((file) => !file.healed).map(({ file }) => file))
  const repaired = corrupt.map((file) => ({ ...file, healed: file.healed || fetched.has(file.file) }))
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  const here = new Set(list.flatMap(({ files }) => files.map(({ path }) => path)))
  const onlyThere = !listed.ok ? [] : groupFiles(layout, listed.value).list.filter(({ group }) => group.nameIs === 'sha256').flatMap(({ files }) => files.map(({ path }) => path)).filter((path) => !here.has(path))
  let now: Answer<CheckResult> = fetched.size === 0 ? { ok: true, value: check } : await checkAgain(run, engine)
  for (let checks = 1; now.ok && !now.value.isSound && checks < mostChecks; checks++) {
    const { errors } = now.value
    const missing = onlyThere.filter((path) => isNamed(path, errors) && !fetched.has(path))
    const found = await fetchSound(run, transport, root, missing)
    if (found.size === 0) break
    for (const file of found) {
      fetched.add(file)
      repaired.push({ file, where: 'local', healed: true })
    }
    now = await checkAgain(run, engine)
  }
  return now.ok ? { corrupt: repaired, check: now.value, notChecked: null } : { corrupt: repaired, check, notChecked: now.failure }
}

function checkAgain(run: Run, engine: Engine): Promise<Answer<CheckResult>> {
  run.reporter.step('checking the repository again')
  return engine.check({ readDataPercent: 0, signal: run.signal })
}

/** Whether one of these errors speaks of the file: by its name, or by the beginning of it, as engines write it. */
function isNamed(path: string, errors: readonly string[]): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return errors.some((error) => (error.match(/\b[0-9a-f]{8,64}\b/g) ?? []).some((word) => name.startsWith(word)))
}
