import type { CheckResult, Engine } from '@stackbk/contract'

import { errorFrom, exitCodes, StackbkError, type Problem } from '../../errors.js'
import { openRepository } from '../repository.js'
import { checkContents } from '../restore/content-check.js'
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
  const { keys, repositoryId } = await openOrMend(run, engine, choices.repair)
  run.reporter.step('checking the repository')
  const percent = choices.percent ?? 0
  const rotation = new LocalRotation(run.state.repositories, repositoryId, percent)
  const check = await engine.check({ readDataPercent: percent, ...rotation.part, signal: run.signal, onProgress: (progress) => run.reporter.step('checking the repository', progress) })
  if (!check.ok) throw errorFrom(check.failure)
  if (check.value.isSound) rotation.done()
  const depth = percent === 0 ? 'structure' : `data ${percent} %${rotation.words}`
  if (check.value.isSound && !choices.repair) return concluded(run, { depth, checked: 0, corrupt: [] }, { status: 'ok', problems: [] })

  const { path } = engine.location()
  const list = path === null ? [] : await frozenList(path, engine.layout())
  run.reporter.step('comparing every file with its name')
  const found = path === null ? { filesChecked: 0, corrupt: [] } : await checkContents(path, list, { signal: run.signal })
  const corrupt: CorruptFile[] = [...keys.map((file): CorruptFile => ({ file, where: 'local', healed: true })), ...found.corrupt.map((file): CorruptFile => ({ file, where: 'local', healed: false }))]
  const mended = path !== null && choices.repair ? await mendLocal(run, engine, path, { list, corrupt, check: check.value }) : { corrupt, check: check.value }
  const { errors } = mended.check
  const isSound = mended.check.isSound && mended.corrupt.every((file) => file.healed)
  const problems: Problem[] = isSound ? [] : [{ severity: 'error', code: 'repository-damaged', message: `the repository does not pass its check: ${errors.at(-1) ?? `${mended.corrupt.length} files are rotten`}`, fix: choices.repair ? 'See what is lost with: restic check --read-data' : 'Run: stackbk verify --repair' }]
  return concluded(run, { depth, checked: found.filesChecked, corrupt: mended.corrupt }, { status: isSound ? 'ok' : 'failed', problems, codes: [isSound ? 0 : exitCodes.ofKind('corrupt')] })
}

/** With a rotten key nothing opens, so keys are compared and mended first where that may be. Says which ones were. */
async function openOrMend(run: Run, engine: Engine, mayMend: boolean): Promise<{ keys: readonly string[]; repositoryId: string }> {
  const open = async (): Promise<string> => (await openRepository({ ...run, dryRun: true }, { mayInit: false }))?.repository.id ?? ''
  try {
    return { keys: [], repositoryId: await open() }
  } catch (error) {
    const { path } = engine.location()
    if (!mayMend || path === null || !(error instanceof StackbkError) || error.kind !== 'corrupt') throw error
    const keys = (await frozenList(path, engine.layout())).filter(({ group }) => group.role === 'key')
    const { corrupt } = await checkContents(path, keys, { signal: run.signal })
    const transport = await run.transport().catch(() => null)
    if (corrupt.length === 0 || transport === null || !(await transport.ready({ signal: run.signal })).ok) throw error
    const healed = await fetchSound(run, transport, path, corrupt)
    return { keys: [...healed], repositoryId: await open() }
  }
}

interface Damage {
  readonly list: FileList
  readonly corrupt: readonly CorruptFile[]
  readonly check: CheckResult
}

/** So often the check is asked for what else is missing: it names no more than some at a time. */
const mostChecks = 10

/** Replaces rotten files by the remote's, then fetches what the check misses by name and the remote has. */
async function mendLocal(run: Run, engine: Engine, root: string, { list, corrupt, check }: Damage): Promise<Pick<Damage, 'corrupt' | 'check'>> {
  if (check.isSound && corrupt.length === 0) return { corrupt, check }
  const transport = await run.transport().catch(() => null)
  if (transport === null || !(await transport.ready({ signal: run.signal })).ok) return { corrupt, check }
  const fetched = await fetchSound(run, transport, root, corrupt.filter((file) => !file.healed).map(({ file }) => file))
  const mended = corrupt.map((file) => ({ ...file, healed: file.healed || fetched.has(file.file) }))
  const listed = await asked(run, () => transport.list('', { signal: run.signal }))
  const here = new Set(list.flatMap(({ files }) => files.map(({ path }) => path)))
  const onlyThere = !listed.ok ? [] : groupFiles(engine.layout(), listed.value).list.filter(({ group }) => group.nameIs === 'sha256').flatMap(({ files }) => files.map(({ path }) => path)).filter((path) => !here.has(path))
  let now = fetched.size === 0 ? check : await checkAgain(run, engine, check)
  for (let checks = 1; !now.isSound && checks < mostChecks; checks++) {
    const missing = onlyThere.filter((path) => isNamed(path, now.errors) && !fetched.has(path))
    const found = await fetchSound(run, transport, root, missing)
    if (found.size === 0) break
    for (const file of found) {
      fetched.add(file)
      mended.push({ file, where: 'local', healed: true })
    }
    now = await checkAgain(run, engine, now)
  }
  return { corrupt: mended, check: now }
}

async function checkAgain(run: Run, engine: Engine, before: CheckResult): Promise<CheckResult> {
  run.reporter.step('checking the repository again')
  const again = await engine.check({ readDataPercent: 0, signal: run.signal })
  return again.ok ? again.value : { isSound: false, errors: [...before.errors, again.failure.message] }
}

/** Whether one of these errors speaks of the file: by its name, or by the beginning of it, as engines write it. */
function isNamed(path: string, errors: readonly string[]): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return errors.some((error) => (error.match(/\b[0-9a-f]{8,64}\b/g) ?? []).some((word) => name.startsWith(word)))
}
