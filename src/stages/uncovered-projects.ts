import type { Finding } from '@stackbk/contract'

import { readDirlist } from '../stacks/dirlist.js'
import type { Run } from './run.js'

/** Returns a finding on running projects that no enabled stack covers: nothing of them is in any backup. That may be intended. */
export async function uncoveredProjects(run: Run): Promise<readonly Finding[]> {
  const { dirlist, stacksDirectory } = run.configuration.docker
  const runtime = await run.runtime()
  const projects = await runtime.runningProjects?.({ signal: run.signal })
  // What keeps the engine from answering is a finding of the runtime's own.
  if (projects?.ok !== true) return []
  const enabled = readDirlist({ file: dirlist, stacksDirectory }).stacks.flatMap(({ enabled: isEnabled, stack }) => (isEnabled && stack !== null ? [stack.directory] : []))
  const states = await runtime.inspect(enabled, { signal: run.signal })
  if (!states.ok) return []
  const covered = new Set(states.value.flatMap((state) => state.projects.flatMap((project) => project.containers.map(({ id }) => id))))
  const uncovered = projects.value.flatMap(({ name, workingDirectory, containers }) => {
    const left = containers.filter(({ id }) => !covered.has(id))
    if (left.length === 0) return []
    const which = left.length === containers.length ? '' : `: only ${left.map((container) => container.name).join(', ')}`
    return [`${name} (${workingDirectory}${which})`]
  })
  const facts = { id: 'stacks.uncovered', needed: 'every running project in an enabled stack' }
  if (uncovered.length === 0) return [{ ...facts, status: 'ok', found: 'all are', fix: '' }]
  return [{ ...facts, status: 'warning', found: `not backed up: ${uncovered.join('; ')}`, fix: 'Enable its stack (stackbk dirlist enable NAME), or add its folder first (stackbk dirlist add FOLDER), unless it needs no backup' }]
}
