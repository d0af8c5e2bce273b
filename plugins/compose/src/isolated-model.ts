import type { CapsuleProject } from '@stackbk/contract'

import type { Place, Places } from './isolated-places.js'
import { isHarmlessCapability, isHarmlessSecurityOption, ownersOf, whyNotIsolated } from './isolated-reasons.js'
import { children, type Json, list, record, text, textList } from './json.js'
import { partLabel, scratchLabel } from './removal.js'

/**
 * What is taken over as it is: it concerns the inside of a container. What is not named here is not in the rehearsal, whatever a
 * later Compose may call it. Labels are not: programs that watch the engine (proxies, updaters) act on them.
 */
const takenOver = [
  ...['command', 'entrypoint', 'working_dir', 'user', 'group_add', 'hostname', 'domainname', 'platform', 'healthcheck', 'stop_signal', 'stop_grace_period', 'tty', 'stdin_open', 'read_only', 'init', 'tmpfs', 'shm_size', 'ulimits', 'sysctls', 'cap_drop'],
  ...['cpus', 'cpu_count', 'cpu_percent', 'cpu_period', 'cpu_quota', 'cpu_shares', 'mem_limit', 'mem_reservation', 'mem_swappiness', 'memswap_limit', 'pids_limit'],
]

/** Proxies that watch the engine act on these of the environment, as others on labels. The program inside does not need them. */
const actedOnByOthers = /^(?:VIRTUAL_HOST|VIRTUAL_HOST_MULTIPORTS|LETSENCRYPT_HOST|ACME_DOMAIN)$/

/** The engine gives the bridge of every network an address of the host, by which the host is reached even where there is no way out. */
export const networkOptions = { 'com.docker.network.bridge.inhibit_ipv4': 'true' } as const

/** What a service of the rehearsal stands for. */
export interface Rehearsed {
  readonly service: string
  /** When the engine starts it again in production. */
  readonly restart: 'never' | 'on-failure' | 'always'
}

export interface IsolatedModel {
  /** As Compose reads it, a dollar sign doubled. */
  readonly model: Json
  /** By the model's own names. */
  readonly services: ReadonlyMap<string, Rehearsed>
  readonly leftOut: readonly string[]
}

export interface ImageFacts {
  readonly id: string
  /** Where in the container it wants a volume of its own. */
  readonly volumes: readonly string[]
}

interface IsolationRequest {
  readonly project: CapsuleProject
  /** As Compose prints it. */
  readonly model: Json
  readonly label: string
  /** The value of a second label. */
  readonly part?: string | undefined
  readonly places: Places
  readonly images: ReadonlyMap<string, ImageFacts>
  /** Services that are not run, with the reason each. */
  readonly notRun: ReadonlyMap<string, string>
  /** The variables that Compose will see. */
  readonly environment: Readonly<Record<string, string>>
}

/** Returns the services that ran and cannot be drilled, with the reason each; those that need one of them are among them. `unavailable`: those that cannot be made. */
export async function servicesNotRun(project: CapsuleProject, model: Json, places: Places, unavailable: ReadonlyMap<string, string> = new Map()): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>(unavailable)
  const running = Object.keys(project.replicas)
  for (const service of running.filter((one) => !unavailable.has(one))) {
    const definition = definitionIn(model, service)
    const because = Object.keys(definition).length === 0 ? ['the model of the snapshot does not say how it is made'] : whyNotIsolated(definition)
    for (const mount of list(definition['volumes']).filter((one) => text(one['type']) === 'bind')) {
      const place = await places.ofPath(plain(text(mount['source'])))
      if (place.is === 'host') because.push(`it mounts ${place.reason}`)
    }
    if (because.length > 0) reasons.set(service, because.join(', and '))
  }
  for (let hasGrown = true; hasGrown; ) {
    hasGrown = false
    for (const service of running.filter((one) => !reasons.has(one))) {
      const definition = definitionIn(model, service)
      const needed = [
        ...ownersOf(definition).filter((owner) => reasons.has(owner) || !running.includes(owner)),
        ...children(definition['depends_on']).filter(([other, { required }]) => required !== false && reasons.has(other)).map(([other]) => other),
      ][0]
      if (needed === undefined) continue
      reasons.set(service, `it needs ${needed}, which is not run`)
      hasGrown = true
    }
  }
  return reasons
}

/** A model of its own, made of what is known to stay inside: nothing of the old one is in it that was not put there. */
export async function isolatedModel(request: IsolationRequest): Promise<IsolatedModel> {
  const { project, model, notRun } = request
  const labels = { [scratchLabel]: request.label, ...(request.part === undefined ? {} : { [partLabel]: request.part }) }
  const leftOut: string[] = [...notRun].map(([service, reason]) => `Service ${service} is not run: ${reason}`)
  const running = Object.entries(project.replicas).filter(([service]) => !notRun.has(service))
  const keys = replicaKeys(running, Object.keys(record(model['services'])))
  const used: Used = { networks: new Set(), secrets: new Set(), configs: new Set() }
  const aliases = linkNames(model, running.map(([service]) => service))
  const services: [string, Json][] = []
  for (const [service] of running) {
    const definition = definitionIn(model, service)
    leftOut.push(...withoutHost(definition).map((what) => `Service ${service} runs without ${what}`))
    for (const [at, key] of keys.get(service)!.entries()) {
      const { volumes, replaced } = await mountsOf(request, service, at + 1)
      if (at === 0) leftOut.push(...replaced)
      services.push([key, {
        ...Object.fromEntries(takenOver.filter((name) => name in definition).map((name) => [name, definition[name]])),
        environment: Object.fromEntries(Object.entries(record(definition['environment'])).filter(([name]) => !actedOnByOthers.test(name))),
        image: request.images.get(service)!.id,
        pull_policy: 'never',
        restart: 'no',
        // What the engine does by default may be to send the output elsewhere.
        logging: { driver: 'json-file', options: { 'max-size': '10m' } },
        cgroup: 'private',
        labels,
        cap_add: textList(definition['cap_add']).filter(isHarmlessCapability),
        security_opt: textList(definition['security_opt']).filter(isHarmlessSecurityOption),
        ...limitsOf(definition),
        ...namespacesOf(definition, keys),
        ...networksOf(definition, { used, aliases: [...(at === 0 ? [] : [service]), ...namesOf(project, service, definition, at + 1), ...(aliases.get(service) ?? [])] }),
        volumes,
        ...filesUsed(definition, used),
        depends_on: dependenciesOf(definition, keys, key),
      }])
    }
  }
  const files = await filesOf(request, used)
  const external = [...used.networks].filter((key) => record(record(model['networks'])[key])['external'] === true)
  return {
    model: {
      services: Object.fromEntries(services),
      networks: Object.fromEntries([...used.networks].map((key) => [key, { driver: 'bridge', internal: true, driver_opts: networkOptions, labels }])),
      ...files.model,
    },
    services: new Map(running.flatMap(([service]) => keys.get(service)!.map((key): [string, Rehearsed] => [key, { service, restart: restartOf(definitionIn(model, service)) }]))),
    leftOut: [...leftOut, ...external.map((key) => `Network ${plain(text(record(record(model['networks'])[key])['name'])) || key} is external: a network of the rehearsal's own is in its place`), ...files.leftOut],
  }
}

interface Used {
  readonly networks: Set<string>
  readonly secrets: Set<string>
  readonly configs: Set<string>
}

/** Each container is a service of its own, since each has data of its own: the first by the service's name. */
function replicaKeys(running: readonly (readonly [string, number])[], taken: readonly string[]): ReadonlyMap<string, readonly string[]> {
  return new Map(running.map(([service, count]) => [service, Array.from({ length: Math.max(1, count) }, (_, at) => {
    let key = at === 0 ? service : `${service}.${at + 1}`
    while (at > 0 && taken.includes(key)) key += '_'
    return key
  })]))
}

/** Names by which the others in its networks knew it. */
function namesOf(project: CapsuleProject, service: string, definition: Json, number: number): string[] {
  const given = text(definition['container_name'])
  return given === '' ? [`${project.name}-${service}-${number}`] : [given]
}

/** `links` gives a service another name for one other only; here all may know it. */
function linkNames(model: Json, running: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  for (const service of running) {
    for (const link of textList(definitionIn(model, service)['links'])) {
      const [target = '', alias = ''] = link.split(':')
      if (alias !== '') names.set(target, [...(names.get(target) ?? []), alias])
    }
  }
  return names
}

/** What it had beside a life of its own, and can do without. */
function withoutHost(definition: Json): string[] {
  const address = children(definition['networks']).map(([, network]) => text(network['ipv4_address']) || text(network['ipv6_address'])).find((one) => one !== '')
  const mounted = list(definition['volumes']).some((mount) => /shared|slave/.test(text(record(mount['bind'])['propagation'])))
  return [
    ...(Object.keys(record(definition['extra_hosts'])).length > 0 || textList(definition['extra_hosts']).length > 0 ? ['its extra hosts'] : []),
    ...(textList(definition['dns']).length > 0 ? ['its own name servers'] : []),
    ...(textList(definition['external_links']).length > 0 ? ['its links to containers of elsewhere'] : []),
    ...(address === undefined ? [] : [`its fixed address ${address}`]),
    ...(text(definition['network_mode']) === 'bridge' ? ["the engine's own network"] : []),
    ...(textList(definition['security_opt']).some((option) => !isHarmlessSecurityOption(option)) ? ['its security options'] : []),
    ...(list(definition['post_start']).length > 0 ? ['its post_start hook'] : []),
    ...(mounted ? ['sharing its mounts with the host'] : []),
  ]
}

function limitsOf(definition: Json): Json {
  const limits = record(record(record(definition['deploy'])['resources'])['limits'])
  return Object.keys(limits).length === 0 ? {} : { deploy: { resources: { limits } } }
}

function namespacesOf(definition: Json, keys: ReadonlyMap<string, readonly string[]>): Json {
  const shared = ['network_mode', 'pid', 'ipc'].flatMap((name): [string, string][] => {
    const owner = /^service:(.+)$/.exec(text(definition[name]))?.[1]
    if (owner !== undefined) return [[name, `service:${keys.get(owner)![0]!}`]]
    return text(definition[name]) === 'none' || text(definition[name]) === 'shareable' ? [[name, text(definition[name])]] : []
  })
  const from = textList(definition['volumes_from']).map((entry) => {
    const [owner = '', ...mode] = entry.split(':')
    return [keys.get(owner)![0]!, ...mode].join(':')
  })
  return { ...Object.fromEntries(shared), ...(from.length === 0 ? {} : { volumes_from: from }) }
}

function networksOf(definition: Json, { used, aliases }: { readonly used: Used; readonly aliases: readonly string[] }): Json {
  const mode = text(definition['network_mode'])
  if (mode.startsWith('service:') || mode === 'none') return {}
  const named = Object.keys(record(definition['networks']))
  const networks = named.length === 0 ? ['default'] : named
  for (const key of networks) used.networks.add(key)
  return { networks: Object.fromEntries(networks.map((key) => [key, { aliases: [...new Set([...textList(record(record(definition['networks'])[key])['aliases']), ...aliases])] }])) }
}

function filesUsed(definition: Json, used: Used): Json {
  const of = (kind: 'secrets' | 'configs'): Json[] => {
    const uses = list(definition[kind])
    for (const use of uses) used[kind].add(text(use['source']))
    return uses
  }
  return { secrets: of('secrets'), configs: of('configs') }
}

/** On all containers of a service that is rehearsed; of one that did not run nothing is waited for. */
function dependenciesOf(definition: Json, keys: ReadonlyMap<string, readonly string[]>, self: string): Json {
  return Object.fromEntries(children(definition['depends_on']).flatMap(([service, { condition }]) => (keys.get(service) ?? []).filter((key) => key !== self).map((key) => [key, { condition: text(condition) || 'service_started', required: true }])))
}

/** Every mount is a bind of something below the scratch folder, volumes too, and those that only the image declares. */
async function mountsOf(request: IsolationRequest, service: string, number: number): Promise<{ readonly volumes: readonly Json[]; readonly replaced: readonly string[] }> {
  const { project, model, places } = request
  const definition = definitionIn(model, service)
  const volumes: Json[] = []
  const replaced: string[] = []
  const anonymous = async (target: string): Promise<Place> => {
    const volume = project.volumes.find((one) => one.isAnonymous && one.service === service && one.containerNumber === number && one.target === target)
    return places.ofVolume(volume?.path ?? '', `of ${project.name}/${service}/${number} at ${target}`)
  }
  const mounted = new Set<string>()
  for (const mount of list(definition['volumes'])) {
    const target = plain(text(mount['target']))
    mounted.add(target)
    if (text(mount['type']) === 'tmpfs') {
      volumes.push({ type: 'tmpfs', target: text(mount['target']), tmpfs: record(mount['tmpfs']) })
      continue
    }
    const source = plain(text(mount['source']))
    const place = text(mount['type']) === 'bind' ? await places.ofPath(source) : source === '' ? await anonymous(target) : await volumePlace(request, source)
    if (place.is === 'host') continue
    if (place.is === 'empty' && source !== '') replaced.push(`${text(mount['type']) === 'bind' ? source : `Volume ${source}`} of service ${service} is not in the snapshot: something empty is in its place`)
    const part = await places.partOf(place.path, plain(text(record(mount['volume'])['subpath'])))
    volumes.push(bindMount(part, target, mount['read_only'] === true))
  }
  for (const target of request.images.get(service)!.volumes.filter((one) => !mounted.has(one))) {
    const place = await anonymous(target)
    if (place.is !== 'host') volumes.push(bindMount(place.path, target, false))
  }
  return { volumes, replaced }
}

function volumePlace({ project, places }: IsolationRequest, key: string): Promise<Place> {
  const volume = project.volumes.find((one) => one.key === key)
  return places.ofVolume(volume?.path ?? '', `${project.name}/${key}`)
}

function bindMount(source: string, target: string, isReadOnly: boolean): Json {
  return { type: 'bind', source: doubled(source), target: doubled(target), read_only: isReadOnly, bind: { create_host_path: false, propagation: 'rprivate' } }
}

/** Secrets and configs: files below the scratch folder, or what stands in the model itself. */
async function filesOf({ model, places, environment }: IsolationRequest, used: Used): Promise<{ readonly model: Json; readonly leftOut: readonly string[] }> {
  const leftOut: string[] = []
  const declared: [string, Json][] = []
  for (const kind of ['secrets', 'configs'] as const) {
    const entries: [string, Json][] = []
    for (const key of used[kind]) {
      const definition = record(record(model[kind])[key])
      const original = plain(text(definition['file']))
      const variable = text(definition['environment'])
      const place = original === '' ? null : await places.ofPath(original)
      if ('content' in definition) entries.push([key, { content: definition['content'] }])
      else if (variable !== '' && variable in environment) entries.push([key, { environment: variable }])
      else if (place?.is === 'restored') entries.push([key, { file: doubled(place.path) }])
      else {
        leftOut.push(`${kind === 'secrets' ? 'Secret' : 'Config'} ${key} is ${variable === '' ? 'not in the snapshot' : `taken from the environment variable ${variable}, which is not set`}: it is empty`)
        entries.push([key, { file: doubled(await places.emptyFor(`${kind} ${key}`, 'file')) }])
      }
    }
    if (entries.length > 0) declared.push([kind, Object.fromEntries(entries)])
  }
  return { model: Object.fromEntries(declared), leftOut }
}

function restartOf(definition: Json): Rehearsed['restart'] {
  const policy = record(record(definition['deploy'])['restart_policy'])
  const written = text(definition['restart']) || (Object.keys(policy).length > 0 ? text(policy['condition']) || 'any' : 'no')
  if (written === 'no' || written === 'none') return 'never'
  return written.startsWith('on-failure') ? 'on-failure' : 'always'
}

function definitionIn(model: Json, service: string): Json {
  return record(record(model['services'])[service])
}

function plain(value: string): string {
  return value.replaceAll('$$', '$')
}

function doubled(value: string): string {
  return value.replaceAll('$', '$$$$')
}
