import { answered, failed } from '@stackbk/contract'
import type { Answer, CapsuleImage, ImageSource } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import { localImages } from './images.js'

/** A download goes on for as long as it gets on; no limit fits every image and line. What hangs for so long never comes. */
const pullLimitMs = 6 * 3_600_000

/**
 * - `recorded`: the image that the capsule names, by its ID or one of its digests
 * - `other`: not that one, or not known to be it, with the reason
 * - `absent`: not here
 */
export type FoundImage =
  | { readonly is: 'recorded'; readonly id: string }
  | { readonly is: 'other'; readonly id: string; readonly reason: string }
  | { readonly is: 'absent' }

export interface ImageToUse {
  readonly service: string
  readonly reference: string
  readonly id: string
  /** Why it is not known to be the recorded one; empty where it is. */
  readonly doubt: string
}

/** What of these is on this host. Asks, and fetches nothing. */
export async function findImages(docker: Docker, images: readonly CapsuleImage[], call: DockerCall = {}): Promise<Answer<ReadonlyMap<CapsuleImage, FoundImage>>> {
  const local = await localImages(docker, images.flatMap((image) => [image.id, ...image.digests, image.reference]), call)
  if (!local.ok) return local
  return answered(
    new Map(
      images.map((image): [CapsuleImage, FoundImage] => {
        const recorded = [image.id, ...image.digests].flatMap((name) => local.value.get(name) ?? [])[0]
        if (recorded !== undefined) return [image, { is: 'recorded', id: recorded.id }]
        const other = local.value.get(image.reference)
        if (other === undefined) return [image, { is: 'absent' }]
        return [image, { is: 'other', id: other.id, reason: image.id === '' ? 'the snapshot does not say which image it was' : `the recorded image ${shortId(image.id)} is not here, and ${image.reference} means ${shortId(other.id)} now` }]
      }),
    ),
  )
}

/** How the model says that an image is built; `null`: it does not. The command is one that a person can run. */
export type BuildOf = (service: string) => string | null

/** Returns whether no registry is known to have the image: it was on the host without a registry's digest, or the stack builds it under a name that no registry uses. */
export function isLocalImage({ id, digests, reference }: CapsuleImage, isBuilt: boolean): boolean {
  return (id !== '' && digests.length === 0) || (isBuilt && !reference.includes('/'))
}

/** Returns whether an image may come by its tag. One that was built locally may not: a registry may have another image of that name. */
export function mayComeByTag(image: CapsuleImage, source: ImageSource, isBuilt: boolean): boolean {
  return source === 'tag' && !isBuilt && !isLocalImage(image, isBuilt) && hasTag(image.reference)
}

/** Returns whether an image may come by its digest. */
export function mayComeByDigest(image: CapsuleImage, source: ImageSource, isBuilt: boolean): boolean {
  return source !== 'local' && image.digests.length > 0 && !isLocalImage(image, isBuilt)
}

/** All of them on this host, pulled where that is allowed. */
export async function bringImages(docker: Docker, images: readonly CapsuleImage[], request: { readonly source: ImageSource; readonly platformOf: (service: string) => string; readonly buildOf: BuildOf }, call: DockerCall = {}): Promise<Answer<readonly ImageToUse[]>> {
  const found = await findImages(docker, images, call)
  if (!found.ok) return found
  const brought: ImageToUse[] = []
  for (const image of images) {
    const here = found.value.get(image)!
    const named = { service: image.service, reference: image.reference }
    if (here.is === 'recorded') {
      brought.push({ ...named, id: here.id, doubt: '' })
      continue
    }
    const platform = request.platformOf(image.service)
    const build = request.buildOf(image.service)
    const pulled = mayComeByDigest(image, request.source, build !== null) ? await pullFirst(docker, image.digests, platform, call) : null
    if (pulled?.ok === true) brought.push({ ...named, id: pulled.value, doubt: '' })
    else if (pulled?.failure.kind === 'cancelled') return pulled
    else if (here.is === 'other') brought.push({ ...named, id: here.id, doubt: here.reason })
    else {
      const tagged = mayComeByTag(image, request.source, build !== null) ? await pullFirst(docker, [image.reference], platform, call) : null
      if (tagged?.ok !== true) return failed({ ...(tagged ?? pulled)?.failure, ...missingImage(image, { wasTried: (tagged ?? pulled) !== null, build }) })
      const isRecorded = image.id !== '' && tagged.value === image.id
      brought.push({ ...named, id: tagged.value, doubt: isRecorded ? '' : `it came by its tag as ${shortId(tagged.value)}, and ${image.id === '' ? 'the snapshot does not say which image it was' : `was ${shortId(image.id)}`}` })
    }
  }
  return answered(brought)
}

/** Returns what can be done about an image that is not here. */
export function missingImage(image: CapsuleImage, { wasTried, build }: { readonly wasTried: boolean; readonly build: string | null }): { kind: 'not-found'; message: string; fix: string } {
  const isLocal = isLocalImage(image, build !== null)
  const why = build !== null ? ', and the stack builds it' : isLocal ? ', and no registry is known to have it: it was built or loaded on its host' : ''
  return {
    kind: 'not-found',
    message: `Image ${image.reference} of service ${image.service} is not here${wasTried ? ' and could not be pulled' : ''}${why}`,
    fix: wayTo(image, isLocal, build),
  }
}

function wayTo({ id, digests, reference }: CapsuleImage, isLocal: boolean, build: string | null): string {
  if (build !== null) return `Build it: ${build}`
  if (!isLocal && digests[0] !== undefined) return `Bring it here: docker pull ${digests[0]}`
  const was = id === '' ? '' : `; it was ${shortId(id)}`
  return `Build it again as ${reference} (docker compose build in the folder whose compose file builds it, or docker build), or bring it from its host with docker save and docker load${was}`
}

/** The ID of the first that comes. */
async function pullFirst(docker: Docker, references: readonly string[], platform: string, call: DockerCall): Promise<Answer<string> | null> {
  let last: Answer<string> | null = null
  for (const reference of references) {
    const pulled = await docker.ask(`docker pull of ${reference}`, ['pull', '--quiet', ...(platform === '' ? [] : ['--platform', platform]), '--', reference], { ...call, timeoutMs: pullLimitMs })
    if (!pulled.ok) {
      last = pulled
      if (pulled.failure.kind !== 'failed') return pulled
      continue
    }
    const local = await localImages(docker, [reference], call)
    if (!local.ok) return local
    const id = local.value.get(reference)?.id
    if (id !== undefined) return answered(id)
    last = failed({ kind: 'failed', message: `docker pull of ${reference} brought no image of that name` })
  }
  return last
}

/** It can be given to an image as a name: it is no ID and holds no digest. */
export function hasTag(reference: string): boolean {
  return reference !== '' && !reference.includes('@') && !/^(?:sha256:)?[0-9a-f]{12,64}$/.test(reference)
}

export function shortId(id: string): string {
  return id.replace(/^(.*sha256:[0-9a-f]{12})[0-9a-f]*$/, '$1')
}
