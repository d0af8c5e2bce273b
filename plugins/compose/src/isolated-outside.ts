import type { UpReport } from '@stackbk/contract'

import type { Container } from './container.js'
import type { Docker, DockerCall } from './docker.js'
import { children, type Json, list, record, text, textList, texts } from './json.js'

/** How much of a container's log is read. */
const logLines = '50'
const logLimitMs = 10_000

/** One project of a drill: what its services were made from, and which of them run. */
export interface DrilledProject {
  /** The recorded model, as Compose prints it. */
  readonly model: Json
  /** Services of the model that run in the drill. */
  readonly running: ReadonlySet<string>
  /** Names by which containers of the drill know each other, besides those of services. */
  readonly names: ReadonlySet<string>
}

export interface OutsideRequest {
  readonly projects: readonly DrilledProject[]
  readonly missing: UpReport['missing']
  readonly containersOf: (service: string) => readonly Container[]
}

/**
 * Finds those of the missing services that reach for something outside of the stack, which a drill takes away from them: a host or a
 * container that their health check or log names, or, on an external network, that their environment names. An external network
 * alone is no reason: most services are on one and work without it.
 */
export async function findOutsideNeeds(docker: Docker, request: OutsideRequest, call: DockerCall = {}): Promise<readonly { readonly service: string; readonly reason: string }[]> {
  const known = new Set(['localhost', 'ip6-localhost', ...request.projects.flatMap(({ running, names }) => [...running, ...names])].map((name) => name.toLowerCase()))
  const reasons = new Map<string, string>()
  for (const { service } of request.missing) {
    const project = request.projects.find(({ running }) => running.has(service))
    if (project === undefined || reasons.has(service)) continue
    const containers = request.containersOf(service)
    const said = await wordsOf(docker, containers, call)
    const reason = reasonOf(record(record(project.model['services'])[service]), { project, known, said })
    if (reason !== null) reasons.set(service, reason)
  }
  addDependents(request, reasons)
  return [...reasons].map(([service, reason]) => ({ service, reason }))
}

/** What waits for such a service is missing for the same reason. */
function addDependents({ projects, missing }: OutsideRequest, reasons: Map<string, string>): void {
  for (let hasGrown = true; hasGrown; ) {
    hasGrown = false
    for (const { service, reason } of missing) {
      if (reasons.has(service) || !reason.startsWith('what it waits for')) continue
      const definition = record(record(projects.find(({ running }) => running.has(service))?.model['services'])[service])
      const needed = children(definition['depends_on']).map(([name]) => name).find((name) => reasons.has(name))
      if (needed === undefined) continue
      reasons.set(service, `it waits for ${needed}`)
      hasGrown = true
    }
  }
}

interface Words {
  /** What health checks have printed. */
  readonly health: string
  readonly log: string
  /** The health check that the containers have, be it of the model or of the image. */
  readonly check: readonly string[]
}

async function wordsOf(docker: Docker, containers: readonly Container[], call: DockerCall): Promise<Words> {
  const ids = containers.map(({ id }) => id)
  const inspected = await docker.inspect('container', ids, call)
  const found = inspected.ok ? inspected.value.found.map(record) : []
  const outputs = found.flatMap((container) => list(record(record(container['State'])['Health'])['Log']).map((entry) => text(entry['Output'])))
  const lines: string[] = []
  for (const { id, name } of containers) {
    const printed = await docker.ask(`docker logs of ${name}`, ['logs', '--tail', logLines, id], { ...call, timeoutMs: logLimitMs, onErrorLine: (line) => lines.push(line) })
    if (printed.ok) lines.push(...printed.value.split('\n'))
  }
  const [check = []] = found.map((container) => textList(record(record(container['Config'])['Healthcheck'])['Test']))
  return { health: outputs.join('\n'), log: lines.join('\n'), check }
}

function reasonOf(definition: Json, { project, known, said }: { readonly project: DrilledProject; readonly known: ReadonlySet<string>; readonly said: Words }): string | null {
  const environment = texts(definition['environment'])
  const isOutside = (host: string): boolean => !known.has(host.toLowerCase()) && !isOwnAddress(host)
  const named = unique(Object.entries(environment).flatMap(([key, value]) => hostsInSetting(key, plain(value)))).filter(isOutside)
  const networks = externalNetworks(definition, project.model)
  const replaced = networks.length === 0 ? '' : `; ${networks.length === 1 ? 'its external network' : 'its external networks'} ${networks.join(', ')} ${networks.length === 1 ? 'is' : 'are'} not in the drill`
  const reaching = (where: string, hosts: readonly string[]): string => `${where} ${hosts.slice(0, 3).join(', ')}, which ${hosts.length === 1 ? 'is' : 'are'} not in the drill${replaced}`

  const unresolvedByCheck = unresolvedNames(said.health).filter(isOutside)
  if (unresolvedByCheck.length > 0) return reaching('its health check could not resolve', unresolvedByCheck)
  const command = healthCommand(said.check, environment)
  const inCheck = hostsInCommand(command).filter(isOutside)
  // A check that also looks at the data, and says nothing of a network, may have found the data to be bad.
  const looksAtData = list(definition['volumes']).some((mount) => mentions(command, plain(text(mount['target']))))
  if (inCheck.length > 0 && (!looksAtData || networkFailure.test(said.health))) return reaching('its health check reaches for', inCheck)
  // Many programs ask for updates, or send figures to their makers: a public name in the log counts only where it is configured.
  const unresolved = unresolvedNames(said.log).filter((host) => isOutside(host) && (isLocalName(host) || named.includes(host)))
  if (unresolved.length > 0) return reaching('its log says that it could not resolve', unresolved)
  if (looksAtData) return null
  const configured = named.filter(isLocalName)
  if (named.length > 0 && networkFailure.test(`${said.health}\n${said.log}`)) return reaching('it could not reach an address outside, and its environment names', named)
  if (configured.length > 0 && networks.length > 0) return reaching('its environment names', configured)
  return null
}

/** That a name could not be resolved, or an address not be reached, in a line that need not name which. */
const networkFailure = /Network (?:is )?unreachable|ENETUNREACH|Name or service not known|Temporary failure in name resolution|Name does not resolve|getaddrinfo|no such host|nodename nor servname/i

/** Each finds the name in a sentence by which a program says that it cannot be resolved. */
const unresolvedPatterns: readonly RegExp[] = [
  /bad address '([^']+)'/g,
  /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ([\w.-]+)/g,
  /lookup ([\w.-]+)(?: on [\w.:[\]]+)?: (?:no such host|server misbehaving|i\/o timeout|Temporary failure)/g,
  /could ?n[o']t resolve (?:host|proxy)(?: ?name)?:? *['"]?([\w.-]+)/gi,
  /could not translate host name "([^"]+)"/gi,
  /unknown (?:mysql server )?host:? *['"]?([\w.-]+)/gi,
  /UnknownHostException: *([\w.-]+)/g,
  /(?:unable|failed) to resolve (?:host(?: ?name)?(?: address)? *)?['‘"]?([\w.-]+)/gi,
  /host ['"]([\w.-]+)['"] not found/gi,
  /host not found in upstream "([\w.-]+)/gi,
  /(?:ping|nc|wget|ssh|getent|nslookup|dig): ([\w.-]+): (?:Name or service not known|Temporary failure in name resolution|Name does not resolve)/g,
  /can't resolve '([^']+)'/g,
]

/** Returns the names that a text says could not be resolved. */
export function unresolvedNames(words: string): string[] {
  return unique(unresolvedPatterns.flatMap((pattern) => [...words.matchAll(pattern)].flatMap((match) => hostOf(match[1]!))))
}

const hostSetting = /(?:^|_)(?:HOSTS?|HOSTNAME|SERVERS?|ADDR|ADDRESS|ENDPOINT|URL|URI|DSN|BROKERS?|UPSTREAM|BACKEND)$/i

/** These say what the service itself is called, or where it listens. */
const ownSetting = /^(?:HOST|HOSTNAME|SERVER|URL|ADDR|ADDRESS)$|(?:^|_)(?:VIRTUAL_HOST|LISTEN_ADDR|LISTEN_ADDRESS|BIND_ADDR|BIND_ADDRESS|LETSENCRYPT_HOST|OVERWRITEHOST)$/i

/** Returns the hosts that a variable names: in an address with a scheme, or, by the variable's name, as a host with or without a port. */
export function hostsInSetting(key: string, value: string): string[] {
  if (ownSetting.test(key)) return []
  const urls = hostsInAddresses(value)
  if (urls.length > 0 || !hostSetting.test(key)) return urls
  return unique(value.split(/[,;\s]+/).flatMap(hostOf))
}

/** Returns the hosts that a command names: in addresses, with a port, or where a known program takes a host. */
export function hostsInCommand(command: string): string[] {
  const devices = [...command.matchAll(/\/dev\/(?:tcp|udp)\/([^/\s]+)\//g)].map((match) => match[1]!)
  const ofParts = command.split(/[|;&()\n]+/).flatMap((part) => hostsInSimpleCommand(part.split(/[\s"'`<>]+/).filter((word) => word !== '' && !wrapper.test(word))))
  return unique([...hostsInAddresses(command), ...devices.flatMap(hostOf), ...ofParts])
}

/** What stands in front of the program that does the work. */
const wrapper = /^(?:(?:\/\S+\/)?(?:ba|da|a)?sh|-c|-ec|if|then|else|until|while|do|!|exec|timeout|\d+s?)$/

const takesHostOption = /^(?:\S*\/)?(?:pg_isready|psql|mysql|mysqladmin|mariadb|mariadb-admin|redis-cli|valkey-cli|mongo|mongosh|mosquitto_sub|mosquitto_pub)$/
const takesHost = /^(?:\S*\/)?(?:nc|ncat|netcat|telnet|ping|nslookup|getent|dig)$/

function hostsInSimpleCommand(words: readonly string[]): string[] {
  const [program = '', ...rest] = words
  const found = words.flatMap((word) => /^([a-z][\w.-]*:\d{2,5})(?:\/|$)/i.exec(word)?.[1] ?? [])
  if (takesHost.test(program)) found.push(...rest.filter((word) => !word.startsWith('-') && !/^(?:hosts|ahosts|ahostsv4)$/.test(word)).slice(0, 1))
  if (takesHostOption.test(program)) {
    for (const [at, word] of rest.entries()) {
      if (/^(?:-h|--host)$/.test(word)) found.push(rest[at + 1] ?? '')
      found.push(/^(?:--host=|-h)(.+)$/.exec(word)?.[1] ?? '')
    }
  }
  return found.flatMap(hostOf)
}

function hostsInAddresses(value: string): string[] {
  return [...value.matchAll(/[a-z][a-z0-9+.-]*:\/\/(?:[^\s/@]*@)?(\[[0-9a-f:]+\]|[\w.-]+)/gi)].flatMap((match) => hostOf(match[1]!.replace(/^\[|\]$/g, '')))
}

const neverHosts = /^(?:true|false|yes|no|on|off|null|none|unix|https?)$/i

/** The host of `host` or `host:port`; none of what cannot be one. */
function hostOf(word: string): string[] {
  if (/^[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*$/i.test(word)) return [word]
  const host = word.replace(/:\d{1,5}$/, '').replace(/[.,]$/, '')
  if (/^\d+(?:\.\d+){3}$/.test(host)) return [host]
  return /^[a-z0-9_](?:[\w.-]*\w)?$/i.test(host) && /[a-z]/i.test(host) && !neverHosts.test(host) ? [host] : []
}

/** A name without a dot is one of a container, which only the engine's name server knows; so are names of the host and of a local network. */
function isLocalName(host: string): boolean {
  return !host.includes('.') || /\.(?:internal|local|lan|home|localdomain|docker)$/i.test(host) || /^(?:10|127|172|192|169)\.\d+\.\d+\.\d+$/.test(host)
}

function isOwnAddress(host: string): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1?)$/.test(host)
}

/** With the variables that the service has put in. */
function healthCommand(test: readonly string[], environment: Readonly<Record<string, string>>): string {
  return test.filter((word) => !['CMD', 'CMD-SHELL', 'NONE'].includes(word)).join(' ').replaceAll(/\$\{?([A-Za-z_]\w*)[^}\s"']*\}?/g, (written, name: string) => plain(environment[name] ?? written))
}

/** The path, or one below it, stands in the command. */
function mentions(command: string, path: string): boolean {
  return path.length > 1 && command.split(/[\s"'`;|&()<>=]+/).some((word) => word === path || word.startsWith(`${path.replace(/\/$/, '')}/`))
}

function externalNetworks(definition: Json, model: Json): string[] {
  return Object.keys(record(definition['networks'])).flatMap((key) => {
    const network = record(record(model['networks'])[key])
    return network['external'] === true ? [plain(text(network['name'])) || key] : []
  })
}

function plain(value: string): string {
  return value.replaceAll('$$', '$')
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
