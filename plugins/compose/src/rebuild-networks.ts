import { answered, shellWord } from '@stackbk/contract'
import type { Answer, CapsuleNetwork, CapsuleVolume, RebuildWarning } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import { limitsOf } from './engine.js'
import { children, record, text } from './json.js'
import { namesUsed, type RebuildSource } from './rebuild-source.js'
import { servicesOf } from './rebuild-scope.js'

/** An external network or volume that the services to be made use, by its real name. */
export interface External {
  readonly name: string
  /** Its key in the model. */
  readonly key: string
  readonly isUsedBy: (service: string) => boolean
}

/** Returns the external networks or volumes that the services to be made use. */
export function externalOf({ scope, model }: RebuildSource, kind: 'networks' | 'volumes'): readonly External[] {
  return children(model[kind]).flatMap(([key, declared]) => {
    const isUsedBy = (service: string): boolean => namesUsed(record(record(model['services'])[service]), kind).includes(key)
    return declared['external'] === true && servicesOf(scope).some(isUsedBy) ? [{ name: text(declared['name']) || key, key, isUsedBy }] : []
  })
}

/** Makes the external networks that are not here and that the capsule describes. Returns a warning for each that got other addresses. */
export async function makeExternalNetworks(docker: Docker, source: RebuildSource, call: DockerCall): Promise<Answer<readonly RebuildWarning[]>> {
  const wanted = externalOf(source, 'networks')
  const present = await docker.inspect('network', wanted.map(({ name }) => name), call)
  if (!present.ok) return present
  const here = new Set(present.value.found.map((network) => text(record(network)['Name'])))
  const warnings: RebuildWarning[] = []
  for (const external of wanted) {
    const recorded = source.scope.recorded.networks.find(({ name }) => name === external.name)
    if (recorded === undefined || here.has(external.name)) continue
    const made = await makeNetwork(docker, recorded, call)
    if (made.ok) continue
    if (!overlaps(made.failure) || hasFixedAddress(source, external)) return made
    const again = await makeNetwork(docker, { ...recorded, subnets: [] }, call)
    if (!again.ok) return again
    const ranges = recorded.subnets.map(({ subnet }) => subnet).join(', ')
    warnings.push({ code: 'other-subnet', message: `the external network ${external.name} was made with other addresses than ${ranges}, which overlap with another network of this host`, fix: 'If something needs these addresses, free the range, remove the network and make it again' })
  }
  return answered(warnings)
}

/** Makes a network as the capsule describes it. */
export async function makeNetwork(docker: Docker, network: CapsuleNetwork, call: DockerCall): Promise<Answer<unknown>> {
  const ranges = network.subnets.filter(({ subnet }) => subnet !== '').map(({ subnet, gateway, ipRange, auxiliaryAddresses = {} }) => ({
    Subnet: subnet,
    ...(gateway === '' ? {} : { Gateway: addressOf(gateway) }),
    ...(ipRange === '' ? {} : { IPRange: ipRange }),
    ...(Object.keys(auxiliaryAddresses).length === 0 ? {} : { AuxiliaryAddresses: auxiliaryAddresses }),
  }))
  const { driver = '', options = {} } = network.ipam ?? {}
  const body = {
    Name: network.name,
    CheckDuplicate: true,
    ...(network.driver === '' ? {} : { Driver: network.driver }),
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    EnableIPv6: network.hasIpv6,
    IPAM: { ...(driver === '' ? {} : { Driver: driver }), ...(Object.keys(options).length === 0 ? {} : { Options: options }), Config: ranges },
    Options: network.options,
    Labels: network.labels,
  }
  return await docker.engine.request({ ...limitsOf(call), what: `docker network create of ${network.name}`, method: 'POST', path: '/networks/create', body })
}

function overlaps({ message, toolOutput = '' }: { readonly message: string; readonly toolOutput?: string }): boolean {
  return /overlap/i.test(`${message} ${toolOutput}`)
}

/** Whether a service to be made asks for an address of its own in the network. */
function hasFixedAddress({ scope, model }: RebuildSource, { key }: External): boolean {
  return servicesOf(scope).some((service) => {
    const joined = record(record(record(record(record(model['services'])[service]))['networks'])[key])
    return text(joined['ipv4_address']) !== '' || text(joined['ipv6_address']) !== ''
  })
}

/** Some engines give the gateway with the length of its network. */
function addressOf(gateway: string): string {
  return gateway.replace(/\/\d+$/, '')
}

/** Returns the command by which a person makes the network as the capsule describes it. */
export function networkCommand(name: string, network: CapsuleNetwork | undefined): string {
  if (network === undefined) return `docker network create ${shellWord(name)}`
  const { driver = '', options = {} } = network.ipam ?? {}
  const words = [
    ...(network.driver === '' || network.driver === 'bridge' ? [] : ['--driver', network.driver]),
    ...(network.isInternal ? ['--internal'] : []),
    ...(network.isAttachable ? ['--attachable'] : []),
    ...(network.hasIpv6 ? ['--ipv6'] : []),
    ...(driver === '' || driver === 'default' ? [] : ['--ipam-driver', driver]),
    ...pairs('--ipam-opt', options),
    ...network.subnets.flatMap(({ subnet, gateway, ipRange, auxiliaryAddresses = {} }) => (subnet === '' ? [] : [
      '--subnet', subnet,
      ...(gateway === '' ? [] : ['--gateway', addressOf(gateway)]),
      ...(ipRange === '' ? [] : ['--ip-range', ipRange]),
      ...pairs('--aux-address', auxiliaryAddresses),
    ])),
    ...pairs('--opt', network.options),
    ...pairs('--label', network.labels),
  ]
  return ['docker network create', ...words.map(shellWord), shellWord(name)].join(' ')
}

/** Returns the command by which a person makes the volume as the capsule describes it. */
export function volumeCommand(name: string, volume: (Pick<CapsuleVolume, 'driver' | 'options' | 'labels'> & Partial<CapsuleVolume>) | undefined, moved: (path: string) => string): string {
  if (volume === undefined) return `docker volume create ${shellWord(name)}`
  const options = Object.fromEntries(Object.entries(volume.options).map(([key, value]) => [key, key === 'device' && value.startsWith('/') ? moved(value) : value]))
  const words = [...(volume.driver === '' || volume.driver === 'local' ? [] : ['--driver', volume.driver]), ...pairs('--opt', options), ...pairs('--label', volume.labels)]
  return ['docker volume create', ...words.map(shellWord), shellWord(name)].join(' ')
}

function pairs(flag: string, values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`])
}
