import type { Runtime } from '@stackbk/contract'

import type { StackDraft } from './backup-result.js'
import { worsen } from './backup-result.js'
import { runningServices } from './stack-plan.js'

/** At the end of the run, one look at all stacks that were started again: what restarts over and over is not up. */
export async function confirmSteady(runtime: Runtime, drafts: readonly StackDraft[]): Promise<void> {
  const confirmed = drafts.flatMap((draft) => (draft.confirmedAt === null ? [] : [{ draft, at: draft.confirmedAt }]))
  if (confirmed.length === 0) return
  const look = await runtime.inspect(confirmed.map(({ draft }) => draft.directory))
  if (!look.ok) return
  for (const [index, { draft, at }] of confirmed.entries()) {
    const state = look.value[index]
    if (state === undefined || state.condition === 'unknown') continue
    const containers = state.projects.flatMap((project) => project.containers)
    const restarted = containers.filter((container) => container.condition === 'restarting' || (container.startedAt !== null && new Date(container.startedAt) > at))
    const running = runningServices(state)
    const completed = new Set(containers.filter((container) => container.condition === 'exited' && container.exitCode === 0).map((container) => container.service))
    const gone = draft.servicesBefore.filter((service) => !running.includes(service) && !completed.has(service))
    if (restarted.length === 0 && gone.length === 0) continue
    worsen(draft, 'failed')
    const what = [...restarted.map((container) => `${container.service} restarts again and again`), ...gone.map((service) => `${service} has ended`)]
    draft.problems.push({
      severity: 'error',
      code: 'not-steady',
      message: `the stack came up and did not stay so: ${[...new Set(what)].join('; ')}`,
      fix: `Look into docker compose logs in ${draft.directory}`,
      stack: draft.name,
    })
  }
}
