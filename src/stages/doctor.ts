import { accessSync, constants } from 'node:fs'

import { answered, failed, failureInOneLine, type Answer, type Engine, type Finding, type LiveProvider, type Repository, type StackState, type Transport } from '@stackbk/contract'
import { files } from '@stackbk/tool-runner/files'

import { counted } from '../counted.js'
import { StackbkError } from '../errors.js'
import { nearestExisting } from '../host/mounts.js'
import type { Offers } from '../providers/collect.js'
import { describeError, notReady } from '../providers/findings.js'
import { readDirlist } from '../stacks/dirlist.js'
import { selectStacks, strangeSections } from '../stacks/selection.js'
import { coverageOf } from './backup/coverage.js'
import { frozenRecords } from './backup/frozen-record.js'
import { requestedStopMode } from './backup/stack-plan.js'
import { repositoryKey } from './advice.js'
import { missingRemote } from './missing-remote.js'
import { sharedDiskFindings } from './repository-disk.js'
import { knownRepository, readConfigDigest } from './repository-memory.js'
import { refusalOf } from './repository.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import type { Run } from './run.js'
import { examineSchedules } from './schedule/examination.js'
import { uncoveredProjects } from './uncovered-projects.js'

export interface DoctorBody {
  readonly checks: readonly Omit<Finding, 'isToolTrouble'>[]
}

export type DoctorResult = ResultHeader & DoctorBody

/** Less than this on the repository's disk is worth a warning. Bytes. */
const littleSpace = 1024 ** 3

/** Looks at everything a night's run will need. `dataFolder`: where this call looks for plugins. Changes nothing, and goes on after each trouble. */
export async function doctor(run: Run, offers: Offers, configuration: readonly Finding[], dataFolder: string): Promise<Outcome<DoctorResult>> {
  const findings: Finding[] = [...configuration, ...pluginFindings(offers), ...stateFindings(run), ...stacksFindings(run), ...leftoverFindings(run)]
  findings.push(...(await guarded('runtime', async () => examined('runtime', await run.runtime(), run.signal))))
  findings.push(...(await layerFindings(run)), ...(await absentFindings(run)))
  findings.push(...(await guarded('stacks.uncovered', () => uncoveredProjects(run))))
  findings.push(...(await guarded('engine', () => engineFindings(run))))
  findings.push(...(await guarded('transport', () => transportFindings(run, offers))))
  for (const id of run.freezerIds()) findings.push(...(await freezerFindings(run, id)))
  findings.push(...(await run.notifiers.examine(run.signal)))
  findings.push(...(await guarded('schedule', () => examineSchedules(run, { environment: process.env, dataFolder }))))
  const failures = findings.filter((finding) => finding.status === 'failed')
  const toolTrouble = failures.some((finding) => finding.isToolTrouble === true)
  const checks = findings.map(({ isToolTrouble: _, ...check }) => check)
  return concluded(run, { checks }, { status: failures.length === 0 ? 'ok' : 'failed', problems: [], codes: [failures.length === 0 ? 0 : toolTrouble ? 4 : 1] })
}

/** Asks a provider also what every command asks it first: one that is examined without a failure may still refuse there. */
async function examined(id: string, provider: LiveProvider, signal: AbortSignal): Promise<readonly Finding[]> {
  const findings = await provider.examine({ signal })
  if (findings.some(({ status }) => status === 'failed')) return findings
  return [...findings, ...(await guarded(id, async () => notReady(id, await provider.ready({ signal }))))]
}

async function guarded(id: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look()
  } catch (error) {
    const fix = error instanceof StackbkError ? error.fix : 'Run again with --verbose'
    return [{ id, status: 'failed', found: describeError(error), needed: 'a provider that can be checked', fix }]
  }
}

/** One that cannot be looked at costs nobody a backup, unless it is the one that is asked for. */
async function freezerFindings(run: Run, id: string): Promise<readonly Finding[]> {
  const findings = await guarded(`freezer.${id}`, async () => examined(`freezer.${id}`, await run.freezer(id), run.signal))
  const isAskedFor = run.configuration.docker.freeze === id
  return findings.map((finding) => (finding.id.startsWith(`freezer.${id}`) && finding.status === 'failed' && !isAskedFor ? { ...finding, status: 'warning' } : finding))
}

function pluginFindings(offers: Offers): Finding[] {
  const versions = new Map(offers.plugins.map(({ name, version, origin }) => [name, origin === 'bundled' ? name : `${name} ${version} (${origin})`]))
  const usable = offers.usable.map(({ plugin, descriptor }): Finding => ({ id: `plugin.${descriptor.id}`, status: 'ok', found: `${descriptor.kind}: ${descriptor.title}, from ${versions.get(plugin) ?? plugin}`, needed: '', fix: '' }))
  const listening = offers.plugins.filter(({ listens, name }) => listens && !offers.usable.some(({ plugin }) => plugin === name))
  const listeners = listening.map(({ name }): Finding => ({ id: `plugin.${name}`, status: 'ok', found: `listens to events, from ${versions.get(name) ?? name}`, needed: '', fix: '' }))
  const unusable = offers.unusable.map(
    ({ plugin, origin, id, reason }): Finding => ({
      id: `plugin.${id || plugin}`,
      status: origin === 'bundled' ? 'failed' : 'warning',
      found: `${plugin}: ${reason}`,
      needed: 'a usable plugin',
      fix: origin === 'bundled' ? 'Install stackbk again' : `Update it (stackbk plugins update), or remove it: stackbk plugins uninstall ${plugin}`,
    }),
  )
  return [...usable, ...listeners, ...unusable]
}

function stateFindings(run: Run): Finding[] {
  const folder = nearestExisting(run.state.root)
  try {
    accessSync(folder, constants.W_OK)
    return [{ id: 'state.folder', status: 'ok', found: run.state.root, needed: 'a folder that can be written', fix: '' }]
  } catch (error) {
    return [{ id: 'state.folder', status: 'failed', found: (error as Error).message, needed: 'a folder that can be written', fix: 'Run as root, or set STACKBK_STATE_DIR' }]
  }
}

function stacksFindings(run: Run): Finding[] {
  const { dirlist, stacksDirectory } = run.configuration.docker
  const list = readDirlist({ file: dirlist, stacksDirectory })
  if (list.discovery.state === 'missing') {
    return [{ id: 'stacks.folder', status: 'failed', found: list.discovery.reason, needed: `the stacks folder ${stacksDirectory}`, fix: 'Mount its disk, or correct DOCKER_STACKS_DIR' }]
  }
  const enabled = list.stacks.filter((stack) => stack.enabled)
  const lost = enabled.filter((stack) => !stack.available)
  return [
    { id: 'stacks.folder', status: 'ok', found: `${stacksDirectory} with ${counted(list.discovery.stacks.length, 'stack')}`, needed: 'a folder with stacks', fix: '' },
    enabled.length === 0
      ? { id: 'stacks.enabled', status: 'warning', found: 'none', needed: 'at least one enabled stack', fix: 'Run: stackbk dirlist refresh, then: stackbk dirlist enable NAME' }
      : { id: 'stacks.enabled', status: 'ok', found: enabled.map(({ name }) => name).join(', '), needed: 'at least one enabled stack', fix: '' },
    ...lost.map(({ name, reason }): Finding => ({ id: `stacks.${name}`, status: 'failed', found: reason, needed: 'an available stack', fix: `Mount its disk, or run: stackbk dirlist disable ${name}` })),
    ...[...list.problems, ...strangeSections(run.configuration, list)].map(({ message, fix }): Finding => ({ id: 'stacks.dirlist', status: 'warning', found: message, needed: '', fix })),
  ]
}

/** Names containers whose files are in no snapshot, before the first night finds them. That the engine does not answer is said elsewhere. */
async function layerFindings(run: Run): Promise<readonly Finding[]> {
  try {
    const runtime = await run.runtime()
    const { stacks } = selectStacks(run.configuration, [])
    if (runtime.dataInContainers === undefined || stacks.length === 0) return []
    const states = await runtime.inspect(stacks.map((stack) => stack.directory), { signal: run.signal })
    if (!states.ok) return []
    const findings: Finding[] = []
    for (const stack of stacks) {
      const state = states.value.find(({ directory }) => directory === stack.directory)
      if (state?.condition !== 'running' || !['auto', 'down'].includes(requestedStopMode(stack, state, run.configuration, undefined))) continue
      const data = await runtime.dataInContainers(state, { signal: run.signal })
      if (!data.ok) continue
      findings.push(...data.value.map((found): Finding => ({ id: `stacks.${stack.name}.data`, status: 'warning', found, needed: 'data in volumes and binds, which a snapshot holds', fix: `Keep them in a volume or a bind; if they may go, set STOP_MODE=stop in [stack:${stack.name}]` })))
    }
    return findings
  } catch {
    return []
  }
}

/** Names what containers have mounted and this host does not have, as with an engine in a virtual machine. That the engine does not answer is said elsewhere. */
async function absentFindings(run: Run): Promise<readonly Finding[]> {
  try {
    const runtime = await run.runtime()
    const { stacks } = selectStacks(run.configuration, [])
    if (stacks.length === 0) return []
    const states = await runtime.inspect(stacks.map((stack) => stack.directory), { signal: run.signal })
    if (!states.ok) return []
    const findings: Finding[] = []
    for (const [at, stack] of stacks.entries()) {
      const state = states.value[at]
      // All sources take a call of Compose for each stack: they are asked for only where a mount is not here.
      if (state === undefined || !(await hasAbsentMount(state))) continue
      const sources = await runtime.sources(state, { signal: run.signal })
      if (!sources.ok) continue
      const problems = coverageOf(stack, sources.value, run.configuration.stack(stack.name)).problems.filter(({ code }) => code === 'not-on-host')
      findings.push(...problems.map(({ message, fix }): Finding => ({ id: `stacks.${stack.name}.mounts`, status: 'failed', found: message, needed: 'volumes and bind mounts that are on this host', fix })))
    }
    return findings
  } catch {
    return []
  }
}

async function hasAbsentMount({ projects }: StackState): Promise<boolean> {
  const mounts = projects.flatMap(({ containers }) => containers).flatMap((container) => container.mounts)
  const absent = await Promise.all(mounts.filter(({ kind, source }) => (kind === 'bind' || kind === 'volume') && source !== '').map(({ source }) => files.stat(source).then(() => false, (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))))
  return absent.includes(true)
}

function leftoverFindings(run: Run): Finding[] {
  const waiting = run.journal.waiting()
  const frozen = frozenRecords(run.state.frozen).map(({ name }) => name)
  return [
    waiting.length === 0
      ? { id: 'leftovers.stacks', status: 'ok', found: 'none', needed: 'no stack left stopped', fix: '' }
      : { id: 'leftovers.stacks', status: 'failed', found: `left stopped by an interrupted run: ${waiting.join(', ')}`, needed: 'no stack left stopped', fix: 'Run: stackbk resume' },
    frozen.length === 0
      ? { id: 'leftovers.frozen', status: 'ok', found: 'none', needed: 'no frozen copy left', fix: '' }
      : { id: 'leftovers.frozen', status: 'warning', found: `frozen copies may be left of: ${frozen.join(', ')}`, needed: 'no frozen copy left', fix: 'If no backup runs now: stackbk resume' },
  ]
}

async function engineFindings(run: Run): Promise<Finding[]> {
  const engine = await run.engine()
  const { display, path } = engine.location()
  const found = display === '' ? await engine.examine({ signal: run.signal }) : await examined('engine', engine, run.signal)
  if (display === '') return [...found.filter(({ isToolTrouble, status }) => status === 'ok' || isToolTrouble === true), { id: 'repository', status: 'warning', found: 'not configured', needed: repositoryKey(run), fix: run.configuration.exists ? `Set ${repositoryKey(run)} in ${run.configuration.file}` : 'Run: stackbk config init' }]
  const isStillToBeMade = run.configuration.backup.autoInit && knownRepository(run.state.repositories, display) === null
  const findings = found.map((finding): Finding => {
    const isMissing = finding.id.endsWith('.repository') && finding.status === 'failed' && isStillToBeMade
    return isMissing ? { ...finding, status: 'warning', fix: 'If it is new: the first backup makes it' } : finding
  })
  findings.push(...(await placeFindings(run, engine, findings)))
  return path === null ? findings : [...findings, spaceFinding(path), ...sharedDiskFindings(run, path, display, await remoteLocation(run))]
}

/** Finds that the known repository's disk is not mounted, or that another repository is at its place. Opens it only where that may be. */
async function placeFindings(run: Run, engine: Engine, examination: readonly Finding[]): Promise<readonly Finding[]> {
  const { display, path } = engine.location()
  const known = knownRepository(run.state.repositories, display)
  if (known === null) return []
  const digest = path === null ? null : await readConfigDigest(engine.layout?.(), path)
  const isSame = digest !== null && digest === known.configDigest
  const unopened = examination.some(({ status }) => status === 'failed') ? failed({ kind: 'failed', message: 'it was not opened' }) : null
  const found: Answer<Repository> = isSame && known.repositoryId !== null ? answered({ id: known.repositoryId, location: display, path }) : (unopened ?? (await engine.open({ signal: run.signal })))
  const refusal = refusalOf(engine, known, found, run.command)
  if (refusal === null) return []
  return [{ id: 'repository.place', status: 'failed', found: `${refusal.message}: ${refusal.detail}`, needed: 'the repository that was used there before', fix: refusal.fix }]
}

/** That the transport cannot be set up is said by its own finding. */
async function remoteLocation(run: Run): Promise<string> {
  return run.transport().then(({ location }) => location, () => '')
}

function spaceFinding(path: string): Finding {
  const { bavail, bsize } = files.fileSystemNow(nearestExisting(path))
  const free = bavail * bsize
  const isLittle = free < littleSpace
  return { id: 'repository.space', status: isLittle ? 'warning' : 'ok', found: `${(free / 1024 ** 3).toFixed(1)} GiB free`, needed: '1 GiB free', fix: isLittle ? 'Free space on the disk of the repository' : '' }
}

async function transportFindings(run: Run, offers: Offers): Promise<readonly Finding[]> {
  const transport = await run.transport()
  const hasRemote = transport.location !== ''
  if (!(await copiesByFile(run))) return [{ id: 'remote', status: 'ok', found: `not used: stackbk does not copy what the engine "${run.configuration.backup.engine}" keeps`, needed: '', fix: '' }]
  const found = hasRemote ? await examined('transport', transport, run.signal) : await transport.examine({ signal: run.signal })
  // Without a remote nothing of it is needed, the tool neither.
  if (!hasRemote) return [...found.filter(({ status }) => status === 'ok'), missingRemote(run.configuration, offers)]
  if (found.some(({ status }) => status === 'failed')) return found
  return [...found, ...(await connectionFindings(run, transport, found)), ...(await uploadFindings(run, transport))]
}

/** Whether the engine has something that a sync could send. One that cannot be set up is a finding of its own. */
async function copiesByFile(run: Run): Promise<boolean> {
  return run.engine().then((engine) => engine.layout !== undefined, () => true)
}

/** How long the remote may take to answer. Milliseconds. */
const connectionLimitMs = 30_000

/** Whether the remote answers, where the transport's own examination does not say it. */
async function connectionFindings(run: Run, transport: Transport, found: readonly Finding[]): Promise<readonly Finding[]> {
  if (found.some(({ id }) => id.endsWith('.connection'))) return []
  const facts = { id: 'remote.connection', needed: 'a remote that can be reached and accepts the login' }
  const reached = await transport.probe({ timeoutMs: connectionLimitMs, signal: run.signal })
  return [reached.ok ? { ...facts, status: 'ok', found: 'reached', fix: '' } : { ...facts, status: 'failed', found: failureInOneLine(reached.failure), fix: reached.failure.fix ?? 'Check the network, and the login in the configuration' }]
}

/** Whether a cut upload can leave half a file there that counts. */
async function uploadFindings(run: Run, transport: Transport): Promise<readonly Finding[]> {
  const traits = await transport.traits({ signal: run.signal })
  if (!traits.ok) return []
  const facts = { id: 'remote.uploads', needed: 'a remote that shows a file only when it is complete, or can move files' }
  if (traits.value.appearsWhole || traits.value.movesWhole) return [{ ...facts, status: 'ok', found: traits.value.appearsWhole ? 'files appear only when complete' : 'files are uploaded under another name, checked and moved', fix: '' }]
  return [{ ...facts, status: 'warning', found: 'neither: an interrupted upload may leave a partial index or snapshot under its name until the next sync, which repairs that first', fix: 'After an interrupted sync run: stackbk sync. Or use a remote of another kind, without a chunker, union or compress in front' }]
}
