import { type Named, removeContainer } from './container-calls.js'
import type { CallLimits } from './engine.js'
import type { Tools } from './tools.js'

/**
 * Removes these containers of a stack, all at the same time, and logs a warning for each that stays. Anonymous volumes stay, as
 * after `docker compose down`. Without `force` the engine refuses a container that runs again. Returns the IDs of those removed.
 */
export async function removeContainers(tools: Tools, directory: string, containers: Iterable<Named>, limits: CallLimits & { readonly force: boolean }): Promise<ReadonlySet<string>> {
  const removed = new Set<string>()
  await Promise.all([...containers].map(async (container) => {
    const answer = await removeContainer(tools.docker, container, { ...limits, volumes: false })
    if (answer.ok) removed.add(container.id)
    else tools.log('warning', answer.failure.message, { directory, toolOutput: answer.failure.toolOutput })
  }))
  return removed
}
