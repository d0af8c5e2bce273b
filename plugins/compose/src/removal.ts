import { answered, done } from '@stackbk/contract'
import type { Answer, CallOptions } from '@stackbk/contract'

import { removeContainer } from './container-calls.js'
import { label } from './container.js'
import type { Docker } from './docker.js'
import { type CallLimits, filtersOf, limitsOf, pathOf } from './engine.js'
import { list, record, text } from './json.js'

/** On everything that a rehearsal makes, and on nothing else. */
export const scratchLabel = 'stackbk.scratch'

/** In addition on everything of one stack of a drill. */
export const partLabel = 'stackbk.scratch.part'

/** The engine kills each of them first. */
const removalLimitMs = 300_000

/** What to list and how to remove it, in this order: a container holds on to its networks and volumes. */
const kinds: readonly { readonly noun: string; readonly list: string; readonly idsIn: (body: unknown) => string[]; readonly remove: (docker: Docker, id: string, call: CallLimits) => Promise<Answer<void>> }[] = [
  { noun: 'container', list: '/containers/json', idsIn: (body) => list(body).map((one) => text(one['Id'])), remove: (docker, id, call) => removeContainer(docker, { id, name: id.slice(0, 12) }, { ...call, force: true, volumes: true }) },
  { noun: 'network', list: '/networks', idsIn: (body) => list(body).map((one) => text(one['Id'])), remove: (docker, id, call) => remove(docker, 'network', id, call) },
  { noun: 'volume', list: '/volumes', idsIn: (body) => list(record(body)['Volumes']).map((one) => text(one['Name'])), remove: (docker, id, call) => remove(docker, 'volume', id, call) },
]

/** What removes at the same time, or makes still more, may come in between. */
const attemptLimit = 3

/** Removes every container, network and volume with this very label; of one project or one part only, where that is named. */
export async function removeByLabel(docker: Docker, scratch: string, options: CallOptions & { readonly project?: string; readonly part?: string } = {}): Promise<Answer<{ readonly removed: number }>> {
  const { project, part } = options
  const filters = filtersOf({ label: [`${scratchLabel}=${scratch}`, ...(project === undefined ? [] : [`${label.project}=${project}`]), ...(part === undefined ? [] : [`${partLabel}=${part}`])] })
  const call = { signal: options.signal }
  const removed = new Set<string>()
  for (let attempt = 1; ; attempt += 1) {
    let left = 0
    let failure: Answer<never> | null = null
    for (const kind of kinds) {
      const listed = await docker.engine.request({ ...limitsOf(call), what: `docker ${kind.noun} ls`, path: kind.list, query: { ...filters, ...(kind.noun === 'container' ? { all: 'true' } : {}) } })
      if (!listed.ok) return listed
      const ids = kind.idsIn(listed.value.body)
      left += ids.length
      const answers = await Promise.all(ids.map((id) => kind.remove(docker, id, { ...call, timeoutMs: removalLimitMs })))
      for (const [at, gone] of answers.entries()) {
        if (gone.ok) removed.add(ids[at]!)
        else failure ??= gone
      }
    }
    if (left === 0 || failure === null) return answered({ removed: removed.size })
    if (attempt === attemptLimit || options.signal?.aborted) return failure
  }
}

/** One after another, so that one in use keeps no other. */
export async function removeVolumes(docker: Docker, names: readonly string[], options: CallOptions = {}): Promise<Answer<{ readonly removed: readonly string[] }>> {
  const removed: string[] = []
  for (const name of new Set(names)) {
    const gone = await remove(docker, 'volume', name, options)
    if (gone.ok) removed.push(name)
    else if (gone.failure.kind !== 'failed') return gone
  }
  return answered({ removed })
}

async function remove(docker: Docker, kind: 'network' | 'volume', name: string, call: CallLimits): Promise<Answer<void>> {
  const gone = await docker.engine.request({ ...limitsOf(call), what: `docker ${kind} rm of ${name}`, method: 'DELETE', path: pathOf(`${kind}s`, name) })
  return gone.ok ? done : gone
}
