import { constants } from 'node:fs'
import { join } from 'node:path'

import { answered } from '@stackbk/contract'
import { files, isUnknown } from '@stackbk/tool-runner/files'
import type { Answer, CallOptions, ContainerState, ProjectState, Source, SourceKind, StackState } from '@stackbk/contract'

import { isAlive, toState } from './container.js'
import { children, type Json, list, record, text, withPlainDollars } from './json.js'
import { inspectContainers, listContainers } from './look.js'
import { filesInModel, filesReadByModel } from './model-files.js'
import type { Models } from './models.js'
import { deviceOf, isInside, realPath } from './paths.js'
import { StackMounts } from './stack-mounts.js'
import type { Tools } from './tools.js'
import { existingVolumes, type Volume, volumeUses } from './volumes.js'
import { isOfTheSystem, mayChange } from './watch.js'

/** A source before it was looked at. */
interface Place {
  readonly kind: SourceKind
  readonly path: string
  readonly volume: string
  readonly services: readonly string[]
  readonly isWritable: boolean
  readonly whyNot: string
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
  const [raws, named, strangers] = await Promise.all([
    Promise.all(state.projects.map(async (project) => ({ project, raw: await modelOf(models, project, options) }))),
    Promise.all(state.projects.map((project) => filesReadByModel(tools.docker, project, options))),
    runningStrangers(tools, state, options),
  ])
  if (!strangers.ok) return strangers
  for (const { raw } of raws) if (!raw.ok && raw.failure.kind !== 'configuration') return raw
  const resolved = raws.map(({ project, raw }) => ({ project: project.name, model: raw.ok ? record(withPlainDollars(raw.value)) : null }))
  const uses = volumeUses(state, resolved)
  const volumes = await existingVolumes(tools.docker, uses.map((use) => use.name), options)
  if (!volumes.ok) return volumes

  const places: Place[] = [
    { kind: 'directory', path: state.directory, volume: '', services: [], isWritable: true, whyNot: '' },
    ...state.projects.flatMap((project) => [...project.configFiles, ...project.environmentFiles, join(project.workingDirectory, '.env')]).map(modelFile),
    ...resolved.flatMap(({ model }) => (model === null ? [] : filesInModel(model))).map(modelFile),
    ...named.flat().map(modelFile),
    ...uses.flatMap((use): Place[] => {
      const volume = volumes.value.get(use.name)
      if (volume === undefined) return []
      return [{ kind: use.isAnonymous ? 'anonymous-volume' : 'named-volume', volume: use.name, services: use.services, isWritable: use.isWritable, ...placeOf(volume) }]
    }),
    ...bindsOf(state, resolved.map(({ model }) => model)),
  ]
  const sources = await gather(state, places)
  return answered(await Promise.all(sources.map(async (source) => ({ ...source, otherUsers: await usersOf(source, strangers.value) }))))
}

/** Whichever of the two Compose gives: what neither tells fails the preflight too, which says so. */
async function modelOf(models: Models, project: ProjectState, options: CallOptions): Promise<Answer<Json>> {
  const raw = await models.raw(project, options)
  return raw.ok || raw.failure.kind !== 'configuration' ? raw : models.resolved(project, options)
}

function modelFile(path: string): Place {
  return { kind: 'model-file', path, volume: '', services: [], isWritable: false, whyNot: '' }
}

/** Where a volume's data really is. The local driver can be told to mount something else in its place. */
function placeOf(volume: Volume): { path: string; whyNot: string; isMountedByStack?: boolean } {
  if (volume.driver !== 'local') return { path: volume.mountpoint, whyNot: `its driver ${volume.driver} keeps it elsewhere`, isMountedByStack: true }
  const device = volume.options['device'] ?? ''
  if (device === '' && (volume.options['type'] ?? '') === '') return { path: volume.mountpoint, whyNot: '' }
  if (/(^|,)r?bind(,|$)/.test(volume.options['o'] ?? '') && device.startsWith('/')) return { path: device, whyNot: '' }
  return { path: volume.mountpoint, whyNot: `it is mounted from ${device || 'elsewhere'} (${volume.options['type'] ?? 'no type'}) only while it is used`, isMountedByStack: true }
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
    const why: Unreadable = place.whyNot === '' ? await whyUnreadable(place, path) : { whyNot: place.whyNot, isForbidden: false }
    // A model file that is not there is optional, or its absence fails the model.
    if (place.kind === 'model-file' && why.whyNot === absent) continue
    const isPart = path !== directory && isInside(path, directory) && (place.kind === 'bind' || place.kind === 'model-file')
    if (isPart && (device === null || device === folderDevice) && why.isUnanswered !== true) continue
    const known = sources.get(path)
    if (known !== undefined) {
      sources.set(path, { ...known, services: [...new Set([...known.services, ...place.services])], isWritable: known.isWritable || place.isWritable, volume: known.volume || place.volume })
      continue
    }
    const isMountedByStack = place.isMountedByStack === true || mounts.isMadeByStack(path)
    sources.set(path, { kind: isPart ? 'directory' : place.kind, path, volume: place.volume, services: place.services, isWritable: place.isWritable, canBeRead: why.whyNot === '', ...why, device, ...(isMountedByStack ? { isMountedByStack } : {}) })
  }
  const read = [...sources.values()].filter((source) => source.canBeRead).map((source) => source.path)
  for (const path of await mounts.hangingWithin(read)) {
    const known = sources.get(path)
    sources.set(path, { kind: 'directory', volume: '', services: [], isWritable: true, device: null, ...known, path, ...doesNotAnswer, canBeRead: false })
  }
  return [...sources.values()]
}

interface Unreadable {
  readonly whyNot: string
  /** To this user alone. */
  readonly isForbidden: boolean
  readonly isUnanswered?: boolean
}

const doesNotAnswer: Unreadable = { whyNot: 'its file system does not answer', isForbidden: false, isUnanswered: true }

const absent = 'it is not there'

async function whyUnreadable(place: Place, path: string): Promise<Unreadable> {
  const because = (whyNot: string, isForbidden = false): Unreadable => ({ whyNot, isForbidden })
  if (place.kind === 'bind' && isOfTheSystem(path)) return because('it belongs to the system')
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

async function runningStrangers(tools: Tools, state: StackState, options: CallOptions): Promise<Answer<ContainerState[]>> {
  const own = new Set(state.projects.flatMap((project) => project.containers).map((container) => container.id))
  const listed = await listContainers(tools.docker, options)
  if (!listed.ok) return listed
  const ids = listed.value.filter((container) => isAlive(container) && !own.has(container.id)).map((container) => container.id)
  const inspected = await inspectContainers(tools.docker, ids, options)
  return inspected.ok ? answered([...inspected.value.values()].filter(isAlive).map(toState)) : inspected
}

async function usersOf(source: Omit<Source, 'otherUsers'>, strangers: readonly ContainerState[]): Promise<string[]> {
  if (!source.canBeRead && source.volume === '') return []
  const places = { paths: [source.path], volumes: source.volume === '' ? [] : [source.volume] }
  const users = await Promise.all(strangers.map(async (container) => ((await mayChange(container, places)) ? [container.name] : [])))
  return users.flat()
}
