import type { StackState } from '@stackbk/contract'

/** Services with at least one container that runs, sorted. */
export function runningServices(state: StackState): readonly string[] {
  const names = state.projects.flatMap((project) => project.containers.filter(isAlive).map((container) => container.service))
  return [...new Set(names)].sort()
}

/** A process of it exists, if only a frozen one. */
export function isAlive(container: { readonly condition: string }): boolean {
  return container.condition === 'running' || container.condition === 'paused' || container.condition === 'restarting'
}
