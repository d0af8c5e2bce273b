import { realpath, stat } from 'node:fs/promises'

import type { Docker, DockerCall } from './docker.js'
import { answered } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import { networkOptions } from './isolated-model.js'
import { isHarmlessCapability, isHarmlessSecurityOption } from './isolated-reasons.js'
import { type Json, list, record, text, textList, texts } from './json.js'
import { isInside } from './paths.js'
import { engineInfo } from './readiness.js'
import { scratchLabel } from './removal.js'

interface Rehearsal {
  readonly label: string
  /** Real. */
  readonly directory: string
  readonly containers: readonly string[]
}

/**
 * What of the containers made could reach anything but the rehearsal, by the engine's own description of them and of their
 * networks. It knows nothing of how they were made; what it does not know it takes for a way out. Empty: they may start.
 */
export async function findWaysOut(docker: Docker, rehearsal: Rehearsal, call: DockerCall = {}): Promise<Answer<readonly string[]>> {
  const [looked, info] = await Promise.all([docker.inspect('container', rehearsal.containers, call), engineInfo(docker, call)])
  if (!looked.ok) return looked
  if (!info.ok) return info
  const containers = looked.value.found.map(record)
  const names = [...new Set(containers.flatMap((container) => Object.keys(record(record(container['NetworkSettings'])['Networks']))))].filter((name) => name !== 'none')
  const networks = await docker.inspect('network', names, call)
  if (!networks.ok) return networks
  const found = await Promise.all(containers.map((container) => waysOutOf(container, { ...rehearsal, runtime: text(info.value['DefaultRuntime']) })))
  return answered([
    ...looked.value.missing.map((id) => `container ${id} is gone`),
    ...networks.value.missing.map((name) => `network ${name} is not there`),
    ...found.flat(),
    ...networks.value.found.map(record).flatMap((network) => networkTroubles(network, rehearsal)),
  ])
}

function networkTroubles(network: Json, { label }: Rehearsal): string[] {
  const name = `network ${text(network['Name'])}`
  const strange = Object.keys(texts(network['Options'])).filter((option) => !(option in networkOptions))
  const guests = Object.values(record(network['Containers'])).map((guest) => text(record(guest)['Name']))
  return [
    ...(texts(network['Labels'])[scratchLabel] === label ? [] : [`${name} does not belong to the rehearsal`]),
    ...(text(network['Name']).startsWith(label) ? [] : [`${name} does not carry the rehearsal's name`]),
    ...(network['Internal'] === true ? [] : [`${name} has a way out`]),
    ...(text(network['Driver']) === 'bridge' ? [] : [`${name} is of the kind ${text(network['Driver'])}`]),
    ...(strange.length === 0 ? [] : [`${name} has the options ${strange.join(', ')}`]),
    // None was started yet.
    ...guests.map((guest) => `${guest} is in ${name}`),
  ]
}

async function waysOutOf(container: Json, { label, directory, containers, runtime }: Rehearsal & { readonly runtime: string }): Promise<string[]> {
  const host = record(container['HostConfig'])
  const config = record(container['Config'])
  const state = record(container['State'])
  const own = (mode: string): boolean => containers.some((id) => mode === `container:${id}`)
  const name = text(container['Name']).replace(/^\//, '')
  const troubles: string[] = []
  const check = (isFine: boolean, trouble: string): void => {
    if (!isFine) troubles.push(`${name}: ${trouble}`)
  }
  check(name.startsWith(label), 'it does not carry the name of the rehearsal')
  check(texts(config['Labels'])[scratchLabel] === label, 'it does not carry the label of the rehearsal')
  check(text(state['Status']) === 'created', 'it was started already')
  const network = text(host['NetworkMode'])
  check(network === 'none' || network.startsWith(label) || own(network), `its network is ${network}`)
  check(['', 'private'].includes(text(host['PidMode'])) || own(text(host['PidMode'])), `its process IDs are those of ${text(host['PidMode'])}`)
  check(['', 'none', 'private', 'shareable'].includes(text(host['IpcMode'])) || own(text(host['IpcMode'])), `its shared memory is that of ${text(host['IpcMode'])}`)
  check(['', 'private'].includes(text(host['UTSMode'])), `its host name is that of ${text(host['UTSMode'])}`)
  check(text(host['UsernsMode']) === '', `its user IDs are those of ${text(host['UsernsMode'])}`)
  check(['', 'private'].includes(text(host['CgroupnsMode'])) && text(host['CgroupParent']) === '', 'its control groups are not its own')
  check(host['Privileged'] !== true, 'it is privileged')
  check(isEmpty(host['Devices']) && isEmpty(host['DeviceRequests']) && isEmpty(host['DeviceCgroupRules']), 'it has devices of the host')
  const capabilities = textList(host['CapAdd']).filter((capability) => !isHarmlessCapability(capability))
  check(capabilities.length === 0, `it has the capabilities ${capabilities.join(', ')}`)
  const security = textList(host['SecurityOpt']).filter((option) => !isHarmlessSecurityOption(option))
  check(security.length === 0, `it has the security options ${security.join(', ')}`)
  check(!isEmpty(host['MaskedPaths']) && !isEmpty(host['ReadonlyPaths']), "the kernel's own files are open to it")
  check(['', runtime].includes(text(host['Runtime'])), `it runs by ${text(host['Runtime'])}`)
  check(isEmpty(host['PortBindings']) && host['PublishAllPorts'] !== true, 'it publishes ports')
  check(isEmpty(host['Links']) && isEmpty(host['ExtraHosts']) && isEmpty(host['Dns']), 'it is told names of elsewhere')
  check(['', 'no'].includes(text(record(host['RestartPolicy'])['Name'])), 'the engine would start it again')
  check(text(record(host['LogConfig'])['Type']) === 'json-file', 'its output goes elsewhere')
  check(textList(host['VolumesFrom']).every((entry) => containers.includes(entry.split(':')[0]!)), 'it has volumes of a container of elsewhere')
  check(isEmpty(host['VolumeDriver']), 'it has a volume driver')
  for (const mount of list(container['Mounts'])) {
    const what = `its mount at ${text(mount['Destination'])}`
    if (text(mount['Type']) === 'tmpfs') continue
    check(text(mount['Type']) === 'bind', `${what} is a ${text(mount['Type'])} of the engine`)
    const trouble = await mountTrouble(text(mount['Source']), directory)
    check(trouble === '', `${what} ${trouble}`)
    check(['', 'private', 'rprivate'].includes(text(mount['Propagation'])), `${what} is shared with the host`)
  }
  return troubles
}

/** Why a mount from there would lead out of the scratch folder; empty when it would not. */
export async function mountTrouble(source: string, directory: string): Promise<string> {
  try {
    if ((await realpath(source)) !== source || !isInside(source, directory) || source === directory) return `leads out of the rehearsal, to ${source}`
    const found = await stat(source)
    return found.isFile() || found.isDirectory() ? '' : 'is no file and no folder'
  } catch {
    return `is of ${source}, which is not there`
  }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true
  return Array.isArray(value) ? value.length === 0 : typeof value === 'object' && Object.keys(value).length === 0
}
