import type { ContainerEnd, ContainerState, StackState } from '@stackbk/contract'

import type { Problem } from '../../errors.js'

/** Programs that write much when they stop, by a part of their image's name: databases, queues, search engines, game servers. */
const slowToStop =
  /postgres|postgis|timescale|pgvector|mysql|mariadb|percona|mongo|elasticsearch|opensearch|solr|influx|clickhouse|cassandra|scylla|couchdb|couchbase|neo4j|arangodb|cockroach|questdb|mssql|oracle|db2|firebird|redis|valkey|keydb|dragonfly|rabbitmq|kafka|redpanda|nats|zookeeper|etcd|prometheus|victoria-metrics|mimir|loki|meilisearch|qdrant|milvus|weaviate|minecraft|gitlab|jenkins|nexus|artifactory/i

/** How long before the end of its grace a kill counts as one that something else has done, in seconds. */
const earlySeconds = 1

/** Names each container that did not end on its stop signal, with what helps against that. */
export function killedContainers(stack: string, ended: readonly ContainerEnd[], state: StackState): readonly Problem[] {
  const containers = [...state.projects.flatMap((project) => project.containers), ...state.dependents]
  return ended.filter(({ wasKilled }) => wasKilled).map((end) => killedContainer(stack, end, containers.find(({ id }) => id === end.containerId)))
}

function killedContainer(stack: string, end: ContainerEnd, container: ContainerState | undefined): Problem {
  const name = end.service || end.name
  const signal = signalName(container?.stopSignal)
  const problem = { severity: 'warning', code: 'killed-after-grace', stack } as const
  if (end.tookSeconds !== undefined && end.tookSeconds < end.graceSeconds - earlySeconds) {
    return { ...problem, message: `${name} was killed ${end.tookSeconds} s after ${signal}, before its ${end.graceSeconds} s to stop were over: its data may not be clean`, fix: 'See what else kills it, such as another program that stops containers, or a lack of memory: docker events' }
  }
  const signalFix = ignoredSignalFix(signal, container?.hasInit === true)
  return {
    ...problem,
    message: `${name} did not stop within ${end.graceSeconds} s of ${signal} and was killed: its data may not be clean`,
    fix: mayHaveBeenWorking(container)
      ? `If it was still shutting down, give it a longer stop_grace_period in its service, the label stackbk.stop-timeout, or DOCKER_TIMEOUT in [stack:${stack}]. If it ignores ${signal}: ${lowerFirst(signalFix)}`
      : signalFix,
  }
}

function ignoredSignalFix(signal: string, hasInit: boolean): string {
  if (hasInit) return `Set stop_signal in its service to a signal that its program ends on: it ignores ${signal}, although init is on`
  return `Set init: true in its service, since a first process without a handler ignores ${signal}; or set stop_signal to a signal that its program ends on`
}

/** Its image is one that takes long, or the time that was given was the one that it asks for. */
function mayHaveBeenWorking(container: ContainerState | undefined): boolean {
  return container !== undefined && (container.isStopGraceExplicit === true || slowToStop.test(container.image.reference.replace(/@.*$/, '')))
}

/** The engine keeps what was written: a name with or without `SIG`, or a number. */
function signalName(written: string | undefined): string {
  if (written === undefined || written === '' || written === '15') return 'SIGTERM'
  if (/^\d+$/.test(written)) return `signal ${written}`
  return written.toUpperCase().replace(/^(?!SIG)/, 'SIG')
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
