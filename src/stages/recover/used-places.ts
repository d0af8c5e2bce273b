import { readdirSync } from 'node:fs'

import { shellWord, type Answer, type Capsule, type CapsuleVolume, type PlaceInQuestion, type PlaceReader, type Runtime, type Source, type StackState } from '@stackbk/contract'

import type { Problem } from '../../errors.js'
import { isWithin } from '../../host/mounts.js'
import { placeOf, type Relocation } from './relocation.js'

/** A place of a stack on this host, and who else runs and can write to it, or reads it. */
export type UsedPlace = Pick<Source, 'kind' | 'path' | 'volume' | 'otherUsers' | 'usersInside' | 'readersInside' | 'possibleWriters'>

/** What is to come back of a stack, as far as it says where others could write. */
export interface UsedPlacesRequest {
  /** The stack's folder in the snapshot. */
  readonly origin: string
  readonly held: readonly string[]
  readonly volumePaths: readonly string[]
  readonly relocations: readonly Relocation[]
  readonly capsule: Capsule | null
}

export interface UsedPlacesContext {
  readonly runtime: Runtime
  readonly signal: AbortSignal
  /** As the stack is here now: its own containers are not asked about. */
  readonly state: StackState | null
  /** What the runtime says the stack uses: it is not asked about that a second time. */
  readonly sources: readonly Source[]
  /** Not all of the stack may come back, but a path or the data of a service: that is exchanged at its own path, that of a volume too. */
  readonly isPart: boolean
}

/**
 * Finds out who else uses what the snapshot holds, beside what is known from the stack's sources: a stack that was taken down, whose
 * model has changed or whose folder is gone names none of its volumes, and others may write to them all the same. Where the runtime
 * cannot tell, the sources are all that is known. Fails as the runtime does.
 */
export async function usedPlacesOf(request: UsedPlacesRequest, { runtime, signal, state, sources, isPart }: UsedPlacesContext): Promise<Answer<readonly UsedPlace[]>> {
  if (runtime.writersAt === undefined) return { ok: true, value: sources }
  const volumes = namedVolumesOf(request).filter(({ name }) => !sources.some(({ volume }) => volume === name))
  const paths = request.held.filter((path) => isPart || !request.volumePaths.includes(path)).map((path) => ({ held: path, place: placeOf(request.relocations, path) })).filter(({ place }) => place !== '' && !sources.some(({ path }) => path === place))
  const asked: readonly PlaceInQuestion[] = [...volumes.map(({ name }) => ({ path: '', volume: name })), ...paths.map(({ place }) => ({ path: place, volume: '' }))]
  if (asked.length === 0) return { ok: true, value: sources }
  const except = (state?.projects ?? []).flatMap(({ containers }) => containers).map(({ id }) => id)
  const answer = await runtime.writersAt(asked, { except, signal })
  if (!answer.ok) return answer
  const ofVolumes = answer.value.slice(0, volumes.length).map((found): UsedPlace => ({ kind: 'named-volume', ...found }))
  const ofPaths = answer.value.slice(volumes.length).flatMap(({ possibleWriters, ...found }, at): UsedPlace[] => {
    const { held, place } = paths[at] ?? { held: '', place: '' }
    if (place === '' || ofVolumes.some(({ path }) => path === found.path)) return []
    // It goes by the path to which the files come, though that may lead elsewhere by a link.
    return [{ kind: kindOf(request, held), ...found, path: place, ...(found.path === place ? { possibleWriters } : {}) }]
  })
  return { ok: true, value: [...sources, ...ofVolumes, ...ofPaths] }
}

function kindOf({ origin, volumePaths }: UsedPlacesRequest, held: string): Source['kind'] {
  if (isWithin(held, origin)) return 'directory'
  return volumePaths.includes(held) ? 'named-volume' : 'bind'
}

/** Returns the volumes with names of their own of which the snapshot holds data. Anonymous ones are made anew with the containers, so that the old ones are not exchanged. */
function namedVolumesOf({ capsule, held }: Pick<UsedPlacesRequest, 'capsule' | 'held'>): readonly CapsuleVolume[] {
  const volumes = (capsule?.projects ?? []).flatMap((project) => project.volumes).filter(({ name, path, isAnonymous }) => name !== '' && path !== '' && !isAnonymous && held.some((one) => isWithin(path, one) || isWithin(one, path)))
  return volumes.filter(({ name }, at) => volumes.findIndex((other) => other.name === name) === at)
}

/** What is exchanged of a stack, and how. */
export interface ExchangeRequest extends UsedPlacesRequest {
  readonly name: string
  readonly part: { readonly paths: readonly string[] } | null
  /** It was asked for by its path. */
  readonly isPath: boolean
  readonly overwrite: boolean
}

/**
 * Names who is in the way. What is exchanged under a running container stays with it as it was, and what that writes is lost: such a
 * container has to be stopped first. One that mounts a folder above, such as a manager or a file browser, sees the recovered files.
 * What several stacks have mounted stays as it is unless it was asked for by its path, so it is in nobody's way.
 */
export function usedByOthers(request: ExchangeRequest, used: readonly UsedPlace[]): readonly Problem[] {
  return used
    .filter((place) => isExchanged(request, place))
    .flatMap(({ kind, path, otherUsers, usersInside: inside = otherUsers }): Problem[] => {
      const usersInside = kind === 'bind' && !request.isPath ? [] : inside
      const above = otherUsers.filter((name) => !inside.includes(name))
      return [
        ...(usersInside.length === 0 ? [] : [{ severity: 'error', code: 'in-use', message: `${path} is used by ${usersInside.join(', ')} too, which ${usersInside.length === 1 ? 'is' : 'are'} not of this stack`, fix: 'Stop that first, then run it again', stack: request.name } as const]),
        ...(above.length === 0 ? [] : [{ severity: 'warning', code: 'mounted-elsewhere', message: `${above.join(', ')} ${above.length === 1 ? 'has' : 'have'} a folder above ${path} mounted and may write there: nothing must be saved in it during the recovery`, fix: '', stack: request.name } as const]),
      ]
    })
}

/** Returns who only reads what is exchanged, each container once. Such a one is in nobody's way, and goes on with what was there before. */
export function readersOf(request: ExchangeRequest, used: readonly UsedPlace[]): readonly PlaceReader[] {
  const paths = new Map<string, readonly string[]>()
  for (const { readersInside = [] } of used.filter((place) => isExchanged(request, place))) {
    for (const reader of readersInside) paths.set(reader.name, [...new Set([...(paths.get(reader.name) ?? []), ...reader.paths])])
  }
  return [...paths].map(([name, mounted]) => ({ name, paths: mounted }))
}

/** Names, before anything is exchanged, who may have to be restarted afterwards. */
export function mayNeedRestart(stack: string, { name, paths }: PlaceReader): Problem {
  return { severity: 'warning', code: 'needs-restart', message: `${name}, which is not of this stack, has ${paths.join(', ')} mounted and only reads it: after the recovery it may see the old files until it is restarted`, fix: `After the recovery, run: docker restart ${shellWord(name)}`, stack }
}

/** Returns whether something at this place is exchanged. A whole stack's volume is found by its name, wherever its data lies now; a part by its path. */
function isExchanged(request: ExchangeRequest, { path, volume }: UsedPlace): boolean {
  const { capsule, held, part, relocations, overwrite } = request
  const places = (part?.paths ?? held).map((one) => placeOf(relocations, one))
  if (part !== null) return places.some((place) => isWithin(path, place) || isWithin(place, path))
  const isExternal = (capsule?.projects ?? []).flatMap((project) => project.volumes).some((one) => one.isExternal && (one.path === path || (volume !== '' && one.name === volume)))
  // One that belongs to others stays as it is, unless it is empty and is filled.
  if (isExternal && (overwrite || !isEmpty(path))) return false
  return (volume !== '' && namedVolumesOf({ capsule, held }).some(({ name }) => name === volume)) || places.some((place) => isWithin(path, place))
}

function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0
  } catch {
    return false
  }
}
