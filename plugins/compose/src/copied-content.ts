import type { ContainerState } from '@stackbk/contract'

import { type Json, list, record, text } from './json.js'

/** Content of a secret or a config that stands in the model and in no file: Compose copies it into a container when it makes it. */
interface CopiedContent {
  readonly kind: 'secret' | 'config'
  readonly name: string
  /** Where it is in the container. */
  readonly path: string
}

/** Returns what Compose copies into the containers of the service. `definition`: the service in the model. */
export function copiedContent(model: Json, definition: Json): CopiedContent[] {
  return (['secret', 'config'] as const).flatMap((kind) =>
    list(definition[`${kind}s`]).flatMap((use) => {
      const name = text(use['source'])
      const declared = record(record(model[`${kind}s`])[name])
      if (!('environment' in declared || 'content' in declared)) return []
      const target = (text(use['target']) || name).replaceAll('$$', '$')
      return [{ kind, name, path: target.startsWith('/') ? target : `${kind === 'secret' ? '/run/secrets' : ''}/${target}` }]
    }),
  )
}

/** Returns, by the ID of the container, where Compose copied something into it. `model`: of the project that the containers are of. */
export function copiedPaths(model: Json, containers: readonly ContainerState[]): ReadonlyMap<string, readonly string[]> {
  const definitions = record(model['services'])
  return new Map(containers.map(({ id, service }) => [id, copiedContent(model, record(definitions[service])).map(({ path }) => path)]))
}
