import { constants } from 'node:fs'
import { join } from 'node:path'

import { answered } from '@stackbk/contract'
import { files, isUnknown } from '@stackbk/tool-runner/files'
import type { Answer, CallOptions, ContainerState, PossibleWriter, Source, SourceKind, StackState } from '@stackbk/contract'

import { children, type Json, list, record, text, textList, withPlainDollars } from './json.js'
import { engineName, isAbsent, signOfElsewhere } from './engine-host.js'
import { filesInModel } from './model-files.js'
import type { Models } from './models.js'
import { neighbourOf } from './neighbours.js'
import { ownPart } from './own-part.js'
import { isOfNeighbour, originOf } from './ownership.js'
import { deviceOf, isInside, realPath } from './paths.js'
import { resolvingOnce, runningStrangers, writersTo } from './place-writers.js'
import { knownEngine } from './readiness.js'
import { StackMounts } from './stack-mounts.js'
import type { Tools } from './tools.js'
import { readersInside, usersInside } from './users-inside.js'
import { existingVolumes, isInMemory, volumePlace, type VolumeUse, volumesOfProjects, volumeUses } from './volumes.js'
import { isHostFolder, isOfTheSystem } from './watch.js'

/** A source before it was looked at. */
interface Place {
  readonly kind: SourceKind
  readonly path: string
  readonly volume: string
  readonly services: readonly string[]
  readonly isWritable: boolean
  readonly whyNot: string
  readonly missing?: 'nowhere' | 'elsewhere'
  /** The engine mounts it for a container, and unmounts it with the last one. */
  readonly isMountedByStack?: boolean
}

/**
 * Every path and volume that the stack reads or writes. What its containers have mounted comes from them; what the model
 * names besides (services that do not run, files that Compose reads) from the model, as far as it resolves. A file or mount
 * inside the folder is part of it, unless a link leads it out or it is a mount of its own: that is a further `directory`.
 *
 * Other users are running containers of elsewhere that may write: one that only reads does not disturb the quiet.
 */
export async function sourcesOf(tools: Tools, models: Models, state: StackState, options: CallOptions = {}): Promise<Answer<readonly Source[]>> {
  const [declared, named, strangers] = await Promise.all([
    Promise.all(state.projects.map(async (project) => ({ project, model: await models.declared(project, options) }))),
    Promise.all(state.projects.map((project) => models.filesRead(project, options))),
    runningStrangers(tools.docker, new Set(state.projects.flatMap((project) => project.containers).map((container) => container.id)), options),
  ])
  if (!strangers.ok) return strangers
  tools.neighbours.set(state.directory, strangers.value.map(neighbourOf))
  for (const { model } of declared) if (!model.ok && model.failure.kind !== 'configuration') return model
  const resolved = await Promise.all(declared.map(async ({ project, model }) => ({ project: project.name, services: project.services, model: model.ok ? await ownPart(state, project, record(withPlainDollars(model.value))) : null })))
  const labelled = await volumesOfProjects(tools.docker, resolved.flatMap(({ project, services, model }) => (model === null && services === undefined ? [project] : [])), options)
  if (!labelled.ok) return labelled
  const uses = withVolumes(volumeUses(state, resolved), labelled.value)
  const volumes = await existingVolumes(tools.docker, uses.map((use) => use.name), options)
  if (!volumes.ok) return volumes

  const ownModels = resolved.map(({ model }) => model)
  const missing = uses.filter((use) => !volumes.value.has(use.name) && isExpected(use, ownModels))
  // What was started from another folder of this host is that one's own, though it may have the same service and image.
  const owners = missing.length === 0 ? [] : await Promise.all(strangers.value.map((container) => isOfNeighbour(originOf(container.allLabels), state.directory)))
  const ofNoOtherFolder = strangers.value.filter((_container, at) => owners[at] === false)
  const places: Place[] = [
    { kind: 'directory', path: state.directory, volume: '', services: [], isWritable: true, whyNot: '' },
    ...state.projects.flatMap((project) => [...project.configFiles, ...project.environmentFiles, join(project.workingDirectory, '.env')]).map(modelFile),
    ...resolved.flatMap(({ model }) => (model === null ? [] : filesInModel(model))).map(modelFile),
    ...named.flat().map(modelFile),
    ...uses.flatMap((use): Place[] => {
      const volume = volumes.value.get(use.name)
      // What is in memory is no one's data: it is gone with the last container that uses it.
      if (volume !== undefined && isInMemory(volume)) return []
      if (volume === undefined) return missing.includes(use) ? [missingVolume(use, { models: ownModels, strangers: ofNoOtherFolder })] : []
      return [{ kind: use.isAnonymous ? 'anonymous-volume' : 'named-volume', volume: use.name, services: use.services, isWritable: use.isWritable, ...volumePlace(volume) }]
    }),
    ...bindsOf(state, ownModels),
  ]
  const sources = await withoutHost(tools, state, await gather(state, places), options)
  const resolve = resolvingOnce()
  const used = await Promise.all(sources.map(async (source) => withUsers(source, source.canBeRead || source.volume !== '' ? await writersTo(source, strangers.value, resolve) : [])))
  return answered(
    await Promise.all(
      used.map(async (source): Promise<Source> => {
        const readers = source.canBeRead || source.volume !== '' ? await readersInside(source, strangers.value, resolve) : []
        return { ...source, ...(source.otherUsers.length === 0 ? {} : { usersInside: await usersInside(source, strangers.value, resolve) }), ...(readers.length === 0 ? {} : { readersInside: readers }) }
      }),
    ),
  )
}

/** Adds volumes of which only their label tells that they belong to the project. */
function withVolumes(uses: readonly VolumeUse[], names: readonly string[]): VolumeUse[] {
  const known = new Set(uses.map((use) => use.name))
  const others = names.filter((name) => !known.has(name)).map((name): VolumeUse => ({ name, key: '', isAnonymous: false, isExternal: false, services: [], containerNumber: 0, isWritable: true, target: '' }))
  return [...uses, ...others]
}

/** Whether `up` would have made the volume: a service uses it that needs no profile, and its name is known. */
function isExpected(use: VolumeUse, models: readonly (Json | null)[]): boolean {
  if (use.isAnonymous || use.name.includes('$')) return false
  const profilesOf = (service: string): string[] => models.flatMap((model) => textList(record(record(model?.['services'])[service])['profiles']))
  return use.services.some((service) => profilesOf(service).length === 0)
}

/**
 * A volume that is declared and not there, and where its data may be instead: in the volume that a container of the same service
 * and image has mounted at the same place, which belongs to another project and was started from no other folder of this host.
 */
function missingVolume(use: VolumeUse, { models, strangers }: { readonly models: readonly (Json | null)[]; readonly strangers: readonly ContainerState[] }): Place {
  const imageOf = (service: string): string => models.map((model) => text(record(record(model?.['services'])[service])['image'])).find((image) => image !== '') ?? ''
  const namesakes = strangers.flatMap((container) =>
    use.services.includes(container.service) && container.image.reference === imageOf(container.service)
      ? container.mounts.filter((mount) => mount.kind === 'volume' && mount.target === use.target).map((mount) => ({ container: container.name, volume: mount.name }))
      : [],
  )
  const namesake = namesakes[0]
  const whyNot = namesake === undefined ? 'there is no volume of this name' : `there is no volume of this name, but ${namesake.container}, a container of another project, has the volume ${namesake.volume} in its place`
  return { kind: 'named-volume', path: join(defaultVolumesFolder, use.name, '_data'), volume: use.name, services: use.services, isWritable: use.isWritable, whyNot, missing: namesake === undefined ? 'nowhere' : 'elsewhere' }
}

/** Where the engine's own driver keeps volumes unless it was told otherwise. */
const defaultVolumesFolder = '/var/lib/docker/volumes'

function modelFile(path: string): Place {
  return { kind: 'model-file', path, volume: '', services: [], isWritable: false, whyNot: '' }
}

function bindsOf(state: StackState, models: readonly (Json | null)[]): Place[] {
  const mounted = state.projects.flatMap((project) => project.containers).flatMap((container) =>
    container.mounts.filter((mount) => mount.kind === 'bind').map((mount) => bind(mount.source, container.service, mount.writable)),
  )
  const declared = models.flatMap((model) => (model === null ? [] : children(model['services']))).flatMap(([service, definition]) =>
    list(definition['volumes']).filter((mount) => text(mount['type']) === 'bind').map((mount) => bind(text(mount['source']), service, mount['read_only'] !== true)),
  )
  return [...mounted, ...declared].filter((place) => place.path.startsWith('/'))
}

function bind(path: string, service: string, isWritable: boolean): Place {
  return { kind: 'bind', path, volume: '', services: [service], isWritable, whyNot: '' }
}

/** Each real path once, and what of the folder is simply part of it not at all. */
async function gather(state: StackState, places: readonly Place[]): Promise<Omit<Source, 'otherUsers'>[]> {
  const { directory } = state
  const mounts = await StackMounts.of(state)
  const folderDevice = await deviceOf(directory)
  const looked = await Promise.all(places.map(async (place) => ({ place, path: await realPath(place.path) })).map(async (entry) => ({ ...(await entry), device: await deviceOf((await entry).path) })))
  const sources = new Map<string, Omit<Source, 'otherUsers'>>()
  for (const { place, path, device } of looked) {
    const why: Unreadable = place.whyNot === '' ? await whyUnreadable(place, path) : (await isHanging(path)) ? doesNotAnswer : { whyNot: place.whyNot, isForbidden: false }
    // A model file that is not there is optional, or its absence fails the model.
    if (place.kind === 'model-file' && why.whyNot === absent) continue
    const isPart = path !== directory && isInside(path, directory) && (place.kind === 'bind' || place.kind === 'model-file')
    if (isPart && (device === null || device === folderDevice) && why.isUnanswered !== true) continue
    const known = sources.get(path)
    const links = [...new Set([...(known?.links ?? []), ...(place.path === path ? [] : [place.path])])]
    const withLinks = links.length === 0 ? {} : { links }
    if (known !== undefined) {
      sources.set(path, { ...known, ...withLinks, services: [...new Set([...known.services, ...place.services])], isWritable: known.isWritable || place.isWritable, volume: known.volume || place.volume })
      continue
    }
    const missing = place.missing === undefined ? {} : { missing: place.missing }
    const isMountedByStack = place.isMountedByStack === true || mounts.isMadeByStack(path)
    sources.set(path, { kind: isPart ? 'directory' : place.kind, path, volume: place.volume, services: place.services, isWritable: place.isWritable, canBeRead: why.whyNot === '', ...why, ...missing, ...withLinks, device, ...(isMountedByStack ? { isMountedByStack } : {}) })
  }
  const read = [...sources.values()].filter((source) => source.canBeRead).map((source) => source.path)
  for (const path of await mounts.hangingWithin(read)) {
    const known = sources.get(path)
    sources.set(path, { kind: 'directory', volume: '', services: [], isWritable: true, device: null, ...known, path, ...doesNotAnswer, canBeRead: false })
  }
  return [...sources.values()]
}

/**
 * Marks what the engine has and this host has not: a volume whose folder is not here, and, where the engine runs elsewhere, bind mounts
 * of the stack's containers whose source is not here. A folder of the stack itself that only the engine has is added.
 */
async function withoutHost(tools: Tools, state: StackState, sources: readonly Omit<Source, 'otherUsers'>[], options: CallOptions): Promise<Omit<Source, 'otherUsers'>[]> {
  const mounts = state.projects.flatMap((project) => project.containers).flatMap(({ service, mounts }) => mounts.map((mount) => ({ ...mount, service })))
  const binds = mounts.filter((mount) => mount.kind === 'bind' && !isOfTheSystem(mount.source))
  const areAbsent = await Promise.all(binds.map(({ source }) => isAbsent(source)))
  const absentBinds = binds.filter((_mount, at) => areAbsent[at] === true)
  const isAbsentVolume = ({ kind, volume, whyNot, missing }: Omit<Source, 'otherUsers'>): boolean => kind !== 'bind' && volume !== '' && whyNot === absent && missing === undefined
  if (absentBinds.length === 0 && !sources.some(isAbsentVolume)) return [...sources]
  const engine = await knownEngine(tools.docker, options)
  const elsewhere = engine.ok ? await signOfElsewhere(engine.value) : null
  const owner = engine.ok ? engineName(engine.value.system) : 'the engine'
  const marked = sources.map((source) => {
    if (isAbsentVolume(source)) return { ...source, isNotOnHost: true, whyNot: elsewhere === null ? `${owner} has it, and this host has no such folder` : `it is not on this host: ${elsewhere}` }
    const isBind = source.kind === 'bind' && source.whyNot === absent && absentBinds.some((mount) => mount.source === source.path)
    return isBind && elsewhere !== null ? { ...source, isNotOnHost: true, whyNot: `it is not on this host: ${elsewhere}` } : source
  })
  if (elsewhere === null) return marked
  const added = absentBinds.filter(({ source }) => !marked.some(({ path }) => path === source)).map(({ source, service, writable }): Omit<Source, 'otherUsers'> => ({
    kind: isInside(source, state.directory) ? 'directory' : 'bind', path: source, volume: '', services: [service], isWritable: writable, canBeRead: false, whyNot: `it is not on this host: ${elsewhere}`, isNotOnHost: true, device: null,
  }))
  return [...marked, ...added.filter(({ path }, at) => added.findIndex((other) => other.path === path) === at)]
}

interface Unreadable {
  readonly whyNot: string
  /** To this user alone. */
  readonly isForbidden: boolean
  readonly isUnanswered?: boolean
  readonly isHostFolder?: true
}

const doesNotAnswer: Unreadable = { whyNot: 'its file system does not answer', isForbidden: false, isUnanswered: true }

const absent = 'it is not there'

/** A volume that is mounted from elsewhere answers for its folder from memory; only its figures come from its server. */
async function isHanging(path: string): Promise<boolean> {
  return path !== '' && files.slowMountOf(path) !== null && (await files.fileSystem(path).then(() => false, isUnknown))
}

async function whyUnreadable(place: Place, path: string): Promise<Unreadable> {
  const because = (whyNot: string, isForbidden = false): Unreadable => ({ whyNot, isForbidden })
  if (place.kind === 'bind' && isHostFolder(path)) return { ...because('it belongs to the whole host, and such a folder is never saved as a whole'), isHostFolder: true }
  if (place.kind === 'bind' && isOfTheSystem(path)) return because('it belongs to the system, which is never saved')
  try {
    const { kind } = await files.stat(path)
    if (kind !== 'file' && kind !== 'directory') return because(kind === 'socket' ? 'it is a socket' : 'it is a device or a pipe')
    await files.access(path, kind === 'directory' ? constants.R_OK | constants.X_OK : constants.R_OK)
    return because('')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return because(absent)
    if (isUnknown(error)) return doesNotAnswer
    return code === 'EACCES' || code === 'EPERM' ? because('this user may not read it', true) : because(`it cannot be looked at (${code ?? String(error)})`)
  }
}

function withUsers(source: Omit<Source, 'otherUsers'>, possibleWriters: readonly PossibleWriter[]): Source {
  const otherUsers = possibleWriters.map(({ name }) => name)
  return possibleWriters.length === 0 ? { ...source, otherUsers } : { ...source, otherUsers, possibleWriters }
}
