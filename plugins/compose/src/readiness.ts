import { answered, done, failed, failureInOneLine } from '@stackbk/contract'
import type { Answer, CallOptions, Finding } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { type CallLimits, limitsOf } from './engine.js'
import { elsewhereFix, type EngineSystem, signOfElsewhere } from './engine-host.js'
import { type Json, record, text, textList } from './json.js'

const oldestEngine = '23'
const oldestCompose = '2.20'

/** The whole of `ready` may take no longer. */
const readyLimitMs = 10_000

export interface Versions {
  readonly engineId: string
  readonly engine: string
  readonly compose: string
  /** `userns-remap` or `rootless` where the engine's users are not this host's; empty otherwise. */
  readonly userNamespace: string
  /** What the engine says of the system that it runs on. */
  readonly system: EngineSystem
}

/** What was answered last, for those who only describe: it stays so for a run. */
const answers = new WeakMap<Docker, Versions>()
const clients = new WeakMap<Docker, Promise<string>>()

/** Returns what {@link readVersions} answered last, or asks. With the version of the docker client, which only a description wants to know. */
export async function knownVersions(docker: Docker, call: CallLimits = {}): Promise<Answer<Versions & { readonly client: string }>> {
  const versions = await knownEngine(docker, call)
  if (!versions.ok) return versions
  const client = clients.get(docker) ?? docker.ask('docker version', ['version', '--format', '{{.Client.Version}}'], call).then((printed) => (printed.ok ? printed.value.trim() : ''))
  clients.set(docker, client)
  return answered({ ...versions.value, client: await client })
}

/** Returns the engine of {@link readVersions}, without the version of the docker client. */
export async function knownEngine(docker: Docker, call: CallLimits = {}): Promise<Answer<Versions>> {
  const known = answers.get(docker)
  return known === undefined ? await readVersions(docker, call) : answered(known)
}

/** Engine and Compose, each asked once and at the same time. */
export async function readVersions(docker: Docker, call: CallLimits = {}): Promise<Answer<Versions>> {
  const [info, compose] = await Promise.all([engineInfo(docker, call), docker.ask('docker compose version', ['compose', 'version', '--short'], call)])
  if (!info.ok) return info
  if (!compose.ok) {
    if (compose.failure.kind !== 'failed') return compose
    return failed({ kind: 'tool-missing', message: 'Docker has no Compose plugin', toolOutput: compose.failure.toolOutput ?? '', fix: `Install the Docker Compose plugin, ${oldestCompose} or newer` })
  }
  const security = textList(info.value['SecurityOptions']).join(' ')
  const versions: Versions = {
    engineId: text(info.value['ID']),
    engine: text(info.value['ServerVersion']),
    compose: compose.value.trim().replace(/^v/, ''),
    system: { name: text(info.value['OperatingSystem']) || text(info.value['Name']), kernel: text(info.value['KernelVersion']), rootFolder: text(info.value['DockerRootDir']) },
    userNamespace: /name=rootless/.test(security) ? 'rootless' : /name=userns/.test(security) ? 'userns-remap' : '',
  }
  answers.set(docker, versions)
  return answered(versions)
}

/** Returns what the engine says of itself. */
export async function engineInfo(docker: Docker, call: CallLimits = {}): Promise<Answer<Json>> {
  const answer = await docker.engine.request({ ...limitsOf(call), what: 'docker info', path: '/info' })
  if (!answer.ok) return answer
  const info = record(answer.value.body)
  if (text(info['ServerVersion']) !== '') return answered(info)
  return failed({ kind: 'tool-not-answering', message: 'The Docker engine does not answer', fix: 'Start the Docker engine, and see that this user may use its socket: docker info' })
}

/** The client is there, the engine answers, both are new enough. */
export async function isReady(docker: Docker, options: CallOptions = {}): Promise<Answer<void>> {
  const versions = await readVersions(docker, { ...options, timeoutMs: readyLimitMs })
  if (!versions.ok) return versions
  return tooOld('The Docker engine', versions.value.engine, oldestEngine) ?? tooOld('Docker Compose', versions.value.compose, oldestCompose) ?? done
}

/** A line for each of them in `doctor`. */
export async function examineTools(docker: Docker, localSocket: () => Promise<Answer<string>>, options: CallOptions = {}): Promise<readonly Finding[]> {
  const [versions, socket] = await Promise.all([readVersions(docker, { ...options, timeoutMs: readyLimitMs }), localSocket()])
  const findings: Finding[] = []
  if (versions.ok) {
    findings.push(
      versionFinding('compose.engine', versions.value.engine, oldestEngine, 'Install a newer Docker engine'),
      versionFinding('compose.version', versions.value.compose, oldestCompose, 'Install a newer Docker Compose plugin'),
    )
    if (versions.value.userNamespace !== '') {
      findings.push({ id: 'compose.user-namespace', status: 'ok', found: `${versions.value.userNamespace}: owners in volumes are shifted`, needed: '', fix: '' })
    }
    findings.push(...(await placeFindings(versions.value)))
  } else {
    const { failure } = versions
    findings.push({ id: 'compose.engine', status: 'failed', found: failureInOneLine(failure), needed: `an answering Docker engine, ${oldestEngine} or newer, and Compose ${oldestCompose} or newer`, fix: failure.fix ?? '', isToolTrouble: true })
  }
  findings.push(
    socket.ok
      ? { id: 'compose.endpoint', status: 'ok', found: `unix://${socket.value}`, needed: 'an engine on this host', fix: '' }
      : { id: 'compose.endpoint', status: 'failed', found: failureInOneLine(socket.failure), needed: 'an engine on this host', fix: socket.failure.fix ?? '', isToolTrouble: socket.failure.kind !== 'configuration' },
  )
  return findings
}

/** Names an engine whose files are not this host's: nothing of its volumes could be read. */
async function placeFindings(versions: Versions): Promise<readonly Finding[]> {
  const reason = await signOfElsewhere(versions)
  return reason === null ? [] : [{ id: 'compose.engine-host', status: 'warning', found: reason, needed: 'an engine that runs on this host itself', fix: `Volumes cannot be backed up from here, nor bind mounts of folders that the engine does not share with this host. ${elsewhereFix}` }]
}

function versionFinding(id: string, found: string, needed: string, fix: string): Finding {
  const isNewEnough = compareVersions(found, needed) >= 0
  return { id, status: isNewEnough ? 'ok' : 'failed', found, needed: `${needed} or newer`, fix: isNewEnough ? '' : fix, ...(isNewEnough ? {} : { isToolTrouble: true }) }
}

function tooOld(what: string, found: string, needed: string): Answer<void> | null {
  if (compareVersions(found, needed) >= 0) return null
  return failed({ kind: 'tool-too-old', message: `${what} is version ${found}, and ${needed} or newer is needed`, fix: `Install ${needed} or newer` })
}

/** By their numbers, part by part; what follows them does not count. A development build without a number is taken for new. */
export function compareVersions(one: string, other: string): number {
  const numbers = (version: string): number[] => (/^v?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '999999').split('.').map(Number)
  const [left, right] = [numbers(one), numbers(other)]
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
