import { answered } from '@stackbk/contract'
import type { Answer } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'
import { record, text, textList } from './json.js'

export interface LocalImage {
  readonly id: string
  readonly digests: readonly string[]
}

/** What these references (or IDs) mean on this host now; those that mean nothing are absent. */
export async function localImages(docker: Docker, references: readonly string[], call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, LocalImage>>> {
  const names = [...new Set(references)].filter((name) => name !== '')
  const inspected = await docker.inspect('image', names, call)
  if (!inspected.ok) return inspected
  // Docker names a missing one with the tag it added; what it found comes in the order of the question.
  const isMissing = (name: string): boolean => inspected.value.missing.some((missing) => missing === name || missing === `${name}:latest`)
  const present = names.filter((name) => !isMissing(name))
  return answered(new Map(present.flatMap((name, at): [string, LocalImage][] => {
    const image = record(inspected.value.found[at])
    return inspected.value.found[at] === undefined ? [] : [[name, { id: text(image['Id']), digests: textList(image['RepoDigests']) }]]
  })))
}

/** The same with nothing but the IDs. */
export async function imageIds(docker: Docker, references: readonly string[], call: DockerCall = {}): Promise<Answer<ReadonlyMap<string, string>>> {
  const images = await localImages(docker, references, call)
  return images.ok ? answered(new Map([...images.value].map(([name, image]) => [name, image.id]))) : images
}
