import { answered, done } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { type CallLimits, limitsOf, pathOf } from './engine.js'
import { type Json, record, text, textList } from './json.js'

export interface LocalImage {
  readonly id: string
  readonly digests: readonly string[]
}

/** What these references (or IDs) mean on this host now; those that mean nothing are absent. */
export async function localImages(docker: Docker, references: readonly string[], call: CallLimits = {}): Promise<Answer<ReadonlyMap<string, LocalImage>>> {
  const names = [...new Set(references)].filter((name) => name !== '')
  const inspected = await docker.inspect('image', names, call)
  if (!inspected.ok) return inspected
  return answered(new Map([...inspected.value.byName].flatMap(([name, found]): [string, LocalImage][] => {
    const image = record(found)
    return isNamedSo(image, name) ? [[name, { id: text(image['Id']), digests: textList(image['RepoDigests']) }]] : []
  })))
}

/** The engine takes a name such as `cafe` for the start of an ID where no image is called so. Only twelve digits or more are meant as an ID. */
function isNamedSo(image: Json, name: string): boolean {
  if (!/^[0-9a-f]{1,11}$/.test(name)) return true
  return textList(image['RepoTags']).some((tag) => tag === name || tag.startsWith(`${name}:`))
}

/** The same with nothing but the IDs. */
export async function imageIds(docker: Docker, references: readonly string[], call: CallLimits = {}): Promise<Answer<ReadonlyMap<string, string>>> {
  const images = await localImages(docker, references, call)
  return images.ok ? answered(new Map([...images.value].map(([name, image]) => [name, image.id]))) : images
}

/** Names an image by a reference of a repository and a tag. */
export async function tagImage(docker: Docker, image: { readonly id: string; readonly reference: string }, call: CallLimits = {}): Promise<Answer<void>> {
  const { repository, tag } = splitReference(image.reference)
  const tagged = await docker.engine.request({ ...limitsOf(call), what: `docker tag of ${image.reference}`, method: 'POST', path: pathOf('images', image.id, 'tag'), query: { repo: repository, tag } })
  return tagged.ok ? done : tagged
}

/** A colon before the last slash belongs to the port of a registry. */
function splitReference(reference: string): { readonly repository: string; readonly tag: string } {
  const colon = reference.lastIndexOf(':')
  return colon > reference.lastIndexOf('/') ? { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) } : { repository: reference, tag: 'latest' }
}
