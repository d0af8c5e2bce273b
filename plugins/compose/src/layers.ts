import type { CallOptions, ContainerState } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { pathOf } from './engine.js'
import { list, number, record, text } from './json.js'
import { isData, isLeaf, type LayerChange } from './layer-data.js'

/** The engine walks through all files that the containers have written. One that takes longer leaves the question open. */
const layerLimitMs = 15_000

/** From here on a layer counts as data wherever its files are. Bytes. */
const largeLayer = 4 * 1024 ** 2

/** How many paths a sentence names. */
const namedPaths = 3

/** How many containers are looked into at a time: the engine reads the same disk for all of them. */
const looksAtATime = 4

/** What is known of a container's own layer: `null` when the engine did not say in time. */
type Layer = { readonly bytes: number; readonly isData: boolean; readonly paths: readonly string[] } | null

/** Sentences for the report, by container. */
export interface DataInLayers {
  readonly data: readonly string[]
  readonly unknown: readonly string[]
}

/** What containers keep in their own writable layer, which a new container would not have. Each container is looked into once. */
export class Layers {
  readonly #docker: Docker
  readonly #known = new Map<string, Promise<Layer>>()

  constructor(docker: Docker) {
    this.#docker = docker
  }

  /**
   * Looks into these containers. `copied`: by the ID of a container, files in it that its next one gets too. `options` end the wait,
   * not what the engine does for it.
   */
  async dataIn(containers: readonly ContainerState[], copied: ReadonlyMap<string, readonly string[]> = new Map(), options: CallOptions = {}): Promise<DataInLayers> {
    const asked = containers.filter((container) => !this.#known.has(container.id))
    if (asked.length > 0) {
      const sizes = this.#sizesOf(asked, options)
      const turns = Array.from({ length: looksAtATime }, () => Promise.resolve<unknown>(null))
      asked.forEach((container, at) => {
        const layer = Promise.all([sizes, turns[at % looksAtATime]]).then(([bytes]) => this.#look(container, copied.get(container.id) ?? [], bytes, options))
        turns[at % looksAtATime] = layer
        this.#known.set(container.id, layer)
      })
    }
    const layers = await Promise.all(containers.map(async (container) => ({ container, layer: await this.#known.get(container.id) })))
    // A cancelled question, or one that a busy disk kept open, may be asked again.
    for (const { container, layer } of layers) if (layer === null) this.#known.delete(container.id)
    return {
      data: layers.flatMap(({ container, layer }) => (layer == null ? [] : sentence(container, layer))),
      unknown: layers.flatMap(({ container, layer }) => (layer == null ? [`what ${container.name} keeps in its own layer could not be found out in time`] : [])),
    }
  }

  /** `null` when the engine did not answer in time. */
  async #sizesOf(containers: readonly ContainerState[], options: CallOptions): Promise<ReadonlyMap<string, number> | null> {
    const limits = { signal: options.signal, timeoutMs: layerLimitMs }
    const answers = await Promise.all(containers.map(({ id }) => this.#docker.engine.request({ ...limits, what: 'docker container inspect', path: pathOf('containers', id, 'json'), query: { size: 'true' }, accepts: [404] })))
    if (!answers.every((answer) => answer.ok)) return null
    return new Map(answers.flatMap((answer, at): [string, number][] => (answer.value.status === 404 ? [] : [[containers[at]!.id, number(record(answer.value.body)['SizeRw'])]])))
  }

  async #look(container: ContainerState, copied: readonly string[], sizes: ReadonlyMap<string, number> | null, options: CallOptions): Promise<Layer> {
    const bytes = sizes?.get(container.id)
    if (bytes === undefined) return null
    // Folders and empty files, such as the places of mounts, have no size.
    if (bytes === 0) return { bytes, isData: false, paths: [] }
    const isLarge = bytes > largeLayer
    const answer = await this.#docker.engine.request({ signal: options.signal, timeoutMs: layerLimitMs, what: `docker diff of ${container.name}`, path: pathOf('containers', container.id, 'changes') })
    if (!answer.ok) return isLarge ? { bytes, isData: true, paths: [] } : null
    const changes = list(answer.value.body).map((change): LayerChange => ({ kind: kinds[number(change['Kind'])] ?? 'changed', path: text(change['Path']) }))
    const data = changes.filter((change) => isData(change, changes, [...container.mounts.map(({ target }) => target), ...copied]))
    return { bytes, isData: isLarge || data.length > 0, paths: (data.length > 0 ? data : changes.filter((change) => change.kind !== 'deleted' && isLeaf(change, changes))).map((change) => change.path) }
  }
}

/** By the engine's numbers. */
const kinds: readonly LayerChange['kind'][] = ['changed', 'added', 'deleted']

function sentence(container: ContainerState, layer: NonNullable<Layer>): string[] {
  if (!layer.isData) return []
  const named = layer.paths.slice(0, namedPaths).join(', ')
  const more = layer.paths.length > namedPaths ? ` and ${layer.paths.length - namedPaths} more` : ''
  return [`${container.name} keeps files in its own layer (${size(layer.bytes)}), in no volume and no bind, which a new container would not have${named === '' ? '' : `: ${named}`}${more}`]
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}
