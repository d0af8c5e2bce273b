import { answered } from '@stackbk/contract'
import type { Answer, StackState } from '@stackbk/contract'

import { label } from './container.js'
import type { Docker, DockerCall } from './docker.js'
import { filtersOf, limitsOf } from './engine.js'
import { children, type Json, list, record, text, texts } from './json.js'

/** A volume as the engine keeps it. */
export interface Volume {
  readonly name: string
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** Where the engine mounts it. */
  readonly mountpoint: string
}

/** Who uses a volume, as model and containers tell. */
export interface VolumeUse {
  readonly name: string
  /** The key in the model; empty for an anonymous one. */
  readonly key: string
  readonly isAnonymous: boolean
  readonly isExternal: boolean
  readonly services: readonly string[]
  /** Of an anonymous one: the number of the one container that has it; 0 for others, and for that of a one-off container. */
  readonly containerNumber: number
  readonly isWritable: boolean
  readonly target: string
}

/** Those of these volumes that exist. */
export async function existingVolumes(docker: Docker, names: readonly string[], call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, Volume>>> {
  const inspected = await docker.inspect('volume', [...new Set(names)], call)
  if (!inspected.ok) return inspected
  return answered(
    new Map(
      inspected.value.found.map((found) => {
        const volume = record(found)
        const name = text(volume['Name'])
        return [name, { name, driver: text(volume['Driver']), options: texts(volume['Options']), labels: texts(volume['Labels']), mountpoint: text(volume['Mountpoint']) }]
      }),
    ),
  )
}

/** Returns the names of the volumes that Compose made for these projects, by their label. */
export async function volumesOfProjects(docker: Docker, projects: readonly string[], call: DockerCall = {}): Promise<Answer<readonly string[]>> {
  const names: string[] = []
  for (const project of projects) {
    const listed = await docker.engine.request({ ...limitsOf(call), what: 'docker volume ls', path: '/volumes', query: filtersOf({ label: [`${label.project}=${project}`] }) })
    if (!listed.ok) return listed
    names.push(...list(record(listed.value.body)['Volumes']).map((volume) => text(volume['Name'])))
  }
  return answered(names)
}

/** Returns where a volume's data really is, and why it cannot be read there if it cannot. The local driver can be told to mount something else in its place. */
export function volumePlace(volume: Volume): { path: string; whyNot: string; isMountedByStack?: boolean } {
  if (volume.driver !== 'local') return { path: volume.mountpoint, whyNot: `its driver ${volume.driver} keeps it elsewhere`, isMountedByStack: true }
  const device = volume.options['device'] ?? ''
  if (device === '' && (volume.options['type'] ?? '') === '') return { path: volume.mountpoint, whyNot: '' }
  if (/(^|,)r?bind(,|$)/.test(volume.options['o'] ?? '') && device.startsWith('/')) return { path: device, whyNot: '' }
  return { path: volume.mountpoint, whyNot: `it is mounted from ${device || 'elsewhere'} (${volume.options['type'] ?? 'no type'}) only while it is used`, isMountedByStack: true }
}

/** Returns whether a volume is gone with the last container that uses it. */
export function isInMemory({ driver, options }: Volume): boolean {
  return driver === 'local' && ['tmpfs', 'ramfs'].includes(options['type'] ?? '')
}

/** All volumes that the models declare, used or not, and that the containers have mounted. */
export function volumeUses(state: StackState, models: readonly { readonly project: string; readonly model: Json | null }[]): VolumeUse[] {
  const uses = new Map<string, VolumeUse>()
  const add = (use: VolumeUse): void => {
    const known = uses.get(use.name)
    uses.set(use.name, known === undefined ? use : {
      ...known,
      key: known.key || use.key,
      isExternal: known.isExternal || use.isExternal,
      services: [...new Set([...known.services, ...use.services])],
      isWritable: known.isWritable || use.isWritable,
      target: known.target || use.target,
    })
  }
  for (const { project, model } of models) {
    if (model === null) continue
    const services = children(model['services'])
    for (const [key, declared] of children(model['volumes'])) {
      const isExternal = declared['external'] === true
      const name = text(declared['name']) || (isExternal ? key : `${project}_${key}`)
      const users = services.flatMap(([service, definition]) => list(definition['volumes']).filter((mount) => text(mount['type']) === 'volume' && text(mount['source']) === key).map((mount) => ({ service, mount })))
      add({
        name,
        key,
        isAnonymous: false,
        isExternal,
        services: [...new Set(users.map((user) => user.service))],
        containerNumber: 0,
        isWritable: users.length === 0 || users.some((user) => user.mount['read_only'] !== true),
        target: text(users[0]?.mount['target']),
      })
    }
  }
  for (const container of state.projects.flatMap((project) => project.containers)) {
    for (const mount of container.mounts.filter((one) => one.kind === 'volume')) {
      add({ name: mount.name, key: '', isAnonymous: mount.isAnonymous, isExternal: false, services: [container.service], containerNumber: mount.isAnonymous && !container.isOneOff ? container.number : 0, isWritable: mount.writable, target: mount.target })
    }
  }
  return [...uses.values()]
}
