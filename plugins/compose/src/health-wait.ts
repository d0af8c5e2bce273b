import type { Container } from './container.js'

/** The longest that a healthcheck's own needs are waited for. One that runs once a day must not hold up a night. */
export const healthCapMs = 10 * 60_000

/** How long to wait for these to become healthy: the configured time, or what their healthchecks need, up to the cap. */
export function healthWaitMs(containers: readonly Pick<Container, 'healthLimitMs'>[], timeoutMs: number): number {
  return Math.max(timeoutMs, ...containers.map((container) => Math.min(container.healthLimitMs, healthCapMs)))
}

/** Whether its healthcheck runs at all within this time of its start. Until it has run once there is no verdict, and waiting gives none. */
export function isCheckedWithin(container: Pick<Container, 'health' | 'firstHealthCheckMs'>, limitMs: number): boolean {
  return container.health !== 'starting' || container.firstHealthCheckMs <= limitMs
}
