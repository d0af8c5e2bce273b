import { createHash } from 'node:crypto'

import { children, type Json, jsonAsGoWrites, record, withPlainDollars } from './json.js'

/** What Compose leaves out when it hashes a service, since a change of it needs no other container. */
const unhashed: ReadonlySet<string> = new Set(['build', 'pull_policy', 'scale', 'depends_on', 'profiles'])

/**
 * Returns the hash that Compose puts on a container of each service, computed from the model that it has resolved: the SHA-256 of
 * the service's JSON as Go writes it (compose/pkg/compose/hash.go). An equal hash proves an equal definition. One that differs
 * proves nothing: other versions of Compose may hash other things.
 */
export function serviceHashes(model: Json): ReadonlyMap<string, string> {
  return new Map(children(model['services']).map(([service, definition]) => [service, hashOf(definition)]))
}

function hashOf(definition: Json): string {
  const kept = Object.fromEntries(Object.entries(definition).filter(([key]) => !unhashed.has(key)))
  const { replicas: _replicas, ...deploy } = record(definition['deploy'])
  const hashed = withPlainDollars('deploy' in definition ? { ...kept, deploy } : kept)
  return createHash('sha256').update(jsonAsGoWrites(hashed)).digest('hex')
}
