import { answered, done } from '@stackbk/contract'
import type { Answer, CapsuleVolume, ContainerState, RebuiltVolume } from '@stackbk/contract'

import { volumeName } from './applied.js'
import type { Docker, DockerCall } from './docker.js'
import { limitsOf } from './engine.js'
import { type Json, list, record, text } from './json.js'
import { namesUsed, type RebuildSource } from './rebuild-source.js'
import { servicesOf } from './rebuild-scope.js'
import { existingVolumes, type Volume } from './volumes.js'

/** Its options let it lie on a device, on another host, or in a folder that anybody may have named: only the `local` driver keeps data by itself. */
export function pointsElsewhere(volume: { readonly driver: string; readonly options: Readonly<Record<string, string>> }): boolean {
  if (volume.driver !== 'local') return true
  return !['', 'tmpfs'].includes(volume.options['type'] ?? '') || !['', 'tmpfs'].includes(volume.options['device'] ?? '')
}

/** Named volumes that the services to be made use; with all services to be made, also those that none of them uses. */
export function volumesOf({ scope, model }: RebuildSource, isWhole: boolean): CapsuleVolume[] {
  const named = scope.recorded.volumes.filter((volume) => !volume.isAnonymous)
  if (isWhole) return named
  const keys = new Set(servicesOf(scope).flatMap((service) => namesUsed(record(record(model['services'])[service]), 'volumes')))
  const names = new Set([...keys].map((key) => volumeName(scope.project, key, declarationOf(model, key))))
  return named.filter((volume) => keys.has(volume.key) || names.has(volume.name))
}

/** A volume that Compose would make, new and empty, since neither the capsule nor the engine has it. */
export interface UnknownVolume {
  readonly name: string
  readonly key: string
  readonly service: string
  readonly target: string
  /** A volume that the capsule has, that no service mounts, and that was at the same place; empty where there is none. */
  readonly instead: string
}

/** Returns the volumes that the services to be made mount, that are not external, and that the capsule does not know. */
export function unrecordedVolumes({ scope, model }: RebuildSource): UnknownVolume[] {
  const known = new Set(scope.recorded.volumes.map((volume) => volume.name))
  const mounts = servicesOf(scope).flatMap((service) =>
    list(record(record(model['services'])[service])['volumes']).flatMap((mount) => {
      const [key, target] = [text(mount['source']), text(mount['target'])]
      if (text(mount['type']) !== 'volume' || key === '') return []
      const declared = declarationOf(model, key)
      return [{ service, key, target, name: volumeName(scope.project, key, declared), isExternal: declared['external'] === true }]
    }),
  )
  const mounted = new Set(mounts.map(({ name }) => name))
  const left = scope.recorded.volumes.filter((volume) => !volume.isAnonymous && !mounted.has(volume.name))
  return mounts.filter(({ name, isExternal }) => !isExternal && !known.has(name)).map(({ isExternal: _, ...mount }) => ({ ...mount, instead: left.find(({ target }) => target === mount.target)?.name ?? '' }))
}

function declarationOf(model: Json, key: string): Json {
  return record(record(model['volumes'])[key])
}

/** Makes those that are not here, with driver, options and labels as they were. External ones are made only with `createExternal`: another stack or the user may make them. */
export async function makeVolumes(docker: Docker, source: RebuildSource, { isWhole, createExternal }: { readonly isWhole: boolean; readonly createExternal: boolean }, call: DockerCall): Promise<Answer<readonly RebuiltVolume[]>> {
  const wanted = volumesOf(source, isWhole)
  const before = await existingVolumes(docker, wanted.map((volume) => volume.name), call)
  if (!before.ok) return before
  for (const volume of wanted) {
    if (before.value.has(volume.name) || (volume.isExternal && !createExternal)) continue
    const made = await makeVolume(docker, volume, source.scope.moved, call)
    if (!made.ok) return made
  }
  const present = await existingVolumes(docker, wanted.map((volume) => volume.name), call)
  if (!present.ok) return present
  return answered(wanted.flatMap((recorded) => rebuilt(recorded, present.value.get(recorded.name), !before.value.has(recorded.name))))
}

async function makeVolume(docker: Docker, volume: CapsuleVolume, moved: (path: string) => string, call: DockerCall): Promise<Answer<void>> {
  const options = Object.fromEntries(Object.entries(volume.options).map(([key, value]) => [key, key === 'device' && value.startsWith('/') ? moved(value) : value]))
  // Given an empty list of options, the engine would note one, where Compose leaves none.
  // Compose keeps a hash of the declaration in a label, and asks whether to remove the data of a volume that has another one.
  const hasMoved = options['device'] !== volume.options['device']
  const labels = Object.fromEntries(Object.entries(volume.labels).filter(([key]) => !hasMoved || key !== 'com.docker.compose.config-hash'))
  const body = { Name: volume.name, Driver: volume.driver, ...(Object.keys(options).length === 0 ? {} : { DriverOpts: options }), Labels: labels }
  const made = await docker.engine.request({ ...limitsOf(call), what: `docker volume create of ${volume.name}`, method: 'POST', path: '/volumes/create', body })
  return made.ok ? done : made
}

/** The volumes that the engine made with the containers, by whose they are: the containers are numbered from 1 anew. */
export function anonymousVolumesOf({ scope }: RebuildSource, containers: readonly ContainerState[], volumes: ReadonlyMap<string, Volume>): { readonly rebuilt: readonly RebuiltVolume[]; readonly homeless: readonly CapsuleVolume[] } {
  const recorded = scope.recorded.volumes.filter((volume) => volume.isAnonymous && volume.containerNumber > 0 && servicesOf(scope).includes(volume.service))
  const places = recorded.map((volume) => {
    const numbers = [...new Set(recorded.filter((one) => one.service === volume.service).map((one) => one.containerNumber))].sort((one, other) => one - other)
    const own = containers.filter((container) => container.service === volume.service && !container.isOneOff).sort((one, other) => one.number - other.number)
    // All that have one at this place have their numbers in the same order as then, whatever gaps there were.
    const container = own.find((one) => one.number === volume.containerNumber) ?? own[numbers.indexOf(volume.containerNumber)]
    const mount = container?.mounts.find((one) => one.isAnonymous && one.target === volume.target)
    return { volume, present: mount === undefined ? undefined : volumes.get(mount.name) }
  })
  return {
    rebuilt: places.flatMap(({ volume, present }) => rebuilt(volume, present, true)),
    homeless: places.filter(({ present }) => present === undefined).map(({ volume }) => volume),
  }
}

/** None for what is mounted from elsewhere, and only while it is used. */
function rebuilt(recorded: CapsuleVolume, present: Volume | undefined, isNew: boolean): RebuiltVolume[] {
  if (present === undefined || present.driver !== 'local') return []
  const device = text(present.options['device'])
  const isBind = device.startsWith('/') && /(^|,)r?bind(,|$)/.test(present.options['o'] ?? '')
  if (!isBind && (device !== '' || (present.options['type'] ?? '') !== '')) return []
  return [{ recorded, name: present.name, path: isBind ? device : present.mountpoint, isNew }]
}
