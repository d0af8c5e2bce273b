import { readStopTimeout, stopTimeoutLabel } from '@stackbk/contract'
import type { ContainerCondition, ContainerMount, ContainerState, Dependency } from '@stackbk/contract'

import { list, number, record, text, texts, type Json } from './json.js'

/** The labels by which Compose marks what it made. */
export const label = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneOff: 'com.docker.compose.oneoff',
  workingDirectory: 'com.docker.compose.project.working_dir',
  configFiles: 'com.docker.compose.project.config_files',
  environmentFiles: 'com.docker.compose.project.environment_file',
  dependsOn: 'com.docker.compose.depends_on',
  configHash: 'com.docker.compose.config-hash',
} as const

/** What the engine gives a container that asks for nothing else. */
const defaultStopGraceSeconds = 10

/** A volume that nobody named has the engine's own random name: 64 hexadecimal digits. Compose does not set the engine's label for it. */
const randomName = /^[0-9a-f]{64}$/

/** More of a container than goes into the journal. */
export interface Container extends ContainerState {
  readonly allLabels: Readonly<Record<string, string>>
  /** Restarts by its policy since it was last started by hand: the engine counts from 0 again then. */
  readonly restartCount: number
  /** How often the policy `on-failure` restarts it; 0 for any number of times. */
  readonly maximumRestarts: number
  readonly wasOutOfMemory: boolean
  readonly finishedAt: string | null
  /** What its healthcheck may take at most to call it healthy or unhealthy; 0 without one. */
  readonly healthLimitMs: number
  /** When its healthcheck runs for the first time after its start; 0 without one. */
  readonly firstHealthCheckMs: number
}

/** From the engine's own description. */
export function readContainer(description: unknown): Container {
  const container = record(description)
  const state = record(container['State'])
  const config = record(container['Config'])
  const hostConfig = record(container['HostConfig'])
  const labels = texts(config['Labels'])
  const status = text(record(state['Health'])['Status'])
  const policy = record(hostConfig['RestartPolicy'])
  const condition = conditionOf(text(state['Status']))
  return {
    id: text(container['Id']),
    name: text(container['Name']).replace(/^\//, ''),
    service: labels[label.service] ?? '',
    number: Number.parseInt(labels[label.number] ?? '1', 10) || 1,
    isOneOff: (labels[label.oneOff] ?? '').toLowerCase() === 'true',
    condition,
    health: status === 'healthy' || status === 'unhealthy' || status === 'starting' ? status : 'none',
    startedAt: time(state['StartedAt']),
    exitCode: condition === 'exited' || condition === 'dead' || condition === 'restarting' ? number(state['ExitCode']) : null,
    restartPolicy: text(policy['Name']) === '' ? 'no' : text(policy['Name']),
    image: { reference: text(config['Image']), id: text(container['Image']) },
    configHash: labels[label.configHash] ?? '',
    dependsOn: readDependencies(labels[label.dependsOn] ?? ''),
    networkMode: text(hostConfig['NetworkMode']),
    pidMode: text(hostConfig['PidMode']),
    ipcMode: text(hostConfig['IpcMode']),
    networks: Object.keys(record(record(container['NetworkSettings'])['Networks'])),
    mounts: [...list(container['Mounts']).map(readMount), ...Object.keys(record(hostConfig['Tmpfs'])).map(temporaryMount)],
    ...stopGrace(labels, config['StopTimeout']),
    ...(text(config['StopSignal']) === '' ? {} : { stopSignal: text(config['StopSignal']) }),
    ...(hostConfig['Init'] === true ? { hasInit: true } : {}),
    isRemovedWhenStopped: hostConfig['AutoRemove'] === true,
    labels: Object.fromEntries(Object.entries(labels).filter(([key]) => key.startsWith('stackbk.'))),
    allLabels: labels,
    restartCount: number(container['RestartCount']),
    maximumRestarts: number(policy['MaximumRetryCount']),
    wasOutOfMemory: state['OOMKilled'] === true,
    finishedAt: time(state['FinishedAt']),
    healthLimitMs: healthLimitOf(record(config['Healthcheck'])),
    firstHealthCheckMs: firstHealthCheckOf(record(config['Healthcheck'])),
  }
}

/** The label counts before the service's own grace, which the engine gives as `null` where the service names none. */
function stopGrace(labels: Readonly<Record<string, string>>, timeout: unknown): Pick<ContainerState, 'stopGraceSeconds' | 'isStopGraceExplicit'> {
  const own = readStopTimeout(labels[stopTimeoutLabel] ?? '') ?? (typeof timeout === 'number' && timeout >= 0 ? timeout : null)
  return { stopGraceSeconds: own ?? defaultStopGraceSeconds, isStopGraceExplicit: own !== null }
}

/** Without what the journal need not hold. One that crashes over and over counts as restarting, even if it was met at work. */
export function toState(container: Container, lastExitOf: LastExits = () => undefined): ContainerState {
  const { allLabels: _labels, maximumRestarts: _maximum, wasOutOfMemory: _memory, finishedAt: _finished, healthLimitMs: _limit, firstHealthCheckMs: _first, ...rest } = container
  const last = container.restartCount > 0 ? (container.condition === 'restarting' ? (container.exitCode ?? undefined) : lastExitOf(container.id)) : undefined
  const state = last === undefined ? rest : { ...rest, lastExitCode: last }
  return container.condition === 'running' && crashedLately(container, last) ? { ...state, condition: 'restarting' } : state
}

/** The exit code with which a container last ended, as far as the engine's events say it. */
export type LastExits = (id: string) => number | undefined

/** The engine takes a container for stable after so long. */
const stableMs = 10_000

/**
 * Returns whether its policy has just restarted it after a crash, so that it is not known yet whether it stays up. A command that
 * ends with 0 and is started again, as `restart: always` does, has not crashed.
 *
 * @param lastExitCode how it ended before; `undefined` where that is not known
 */
export function crashedLately(container: Container, lastExitCode?: number): boolean {
  return container.restartCount > 0 && lastExitCode !== 0 && Date.now() - Date.parse(container.startedAt ?? '') < stableMs
}

/** A process of it exists, if only a frozen one. */
export function isAlive(container: { readonly condition: ContainerCondition }): boolean {
  return container.condition === 'running' || container.condition === 'paused' || container.condition === 'restarting'
}

/** A container that only a capsule tells of: its mounts and networks are not known. An engine's IDs are hexadecimal. */
export function isKnownFromCapsule(container: { readonly id: string }): boolean {
  return !/^[0-9a-f]+$/.test(container.id)
}

/** What it is not is `exited`. */
export function conditionOf(status: string): ContainerCondition {
  switch (status) {
    case 'running':
    case 'paused':
    case 'restarting':
    case 'created':
    case 'removing':
    case 'dead':
      return status
    default:
      return 'exited'
  }
}

/** `db:service_healthy:false,cache:service_started:true`; the last part says whether a restart of the one restarts the other. */
function readDependencies(written: string): Dependency[] {
  return written.split(',').flatMap((entry) => {
    const [service = '', condition] = entry.split(':')
    if (service === '') return []
    return [{ service, condition: condition === 'service_healthy' || condition === 'service_completed_successfully' ? condition : 'service_started', required: true }]
  })
}

function readMount(mount: Json): ContainerMount {
  const type = text(mount['Type'])
  const name = text(mount['Name'])
  return {
    kind: type === 'bind' || type === 'volume' || type === 'tmpfs' ? type : 'other',
    name,
    source: text(mount['Source']),
    target: text(mount['Destination']),
    writable: mount['RW'] !== false,
    isAnonymous: type === 'volume' && randomName.test(name),
    driver: text(mount['Driver']),
    ...(['shared', 'rshared'].includes(text(mount['Propagation'])) ? { isShared: true } : {}),
  }
}

function temporaryMount(target: string): ContainerMount {
  return { kind: 'tmpfs', name: '', source: '', target, writable: true, isAnonymous: false, driver: '' }
}

/** The engine's zero time is the year 1. */
function time(value: unknown): string | null {
  const written = text(value)
  return written === '' || written.startsWith('0001-') ? null : written
}

/**
 * The engine waits for the interval before the first run, and during a start period for the start interval: 5 s where none is
 * given, before version 25 the interval there too. So this is the least that it can be.
 */
function firstHealthCheckOf(check: Json): number {
  if (healthLimitOf(check) === 0) return 0
  const interval = (number(check['Interval']) || 30e9) / 1e6
  if (number(check['StartPeriod']) === 0) return interval
  return Math.min(interval, (number(check['StartInterval']) || 5e9) / 1e6)
}

/** Durations in nanoseconds; the engine's defaults are 30 s, 30 s and 3. */
function healthLimitOf(check: Json): number {
  const test = check['Test']
  if (!Array.isArray(test) || test.length === 0 || test[0] === 'NONE') return 0
  const milliseconds = (key: string, otherwise: number): number => (number(check[key]) || otherwise) / 1e6
  const retries = number(check['Retries']) || 3
  return milliseconds('StartPeriod', 0) + retries * (milliseconds('Interval', 30e9) + milliseconds('Timeout', 30e9))
}

