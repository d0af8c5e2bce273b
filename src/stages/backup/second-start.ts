import type { Runtime } from '@stackbk/contract'

import type { JournalEntry } from '../../stacks/journal.js'
import type { Run } from '../run.js'
import type { StackDraft } from './backup-result.js'
import { notYetHealthy, whyNotUp } from './judging.js'
import { findLostSources, isAnythingLost } from './lost-sources.js'
import { startAndConfirm } from './stack-window.js'

/**
 * Starts what was not up after its backup once more, now that all other stacks are up: a port, an address or a disk may be
 * there again. What comes up is reported with a warning in place of the error. Never throws.
 */
export async function startOnceMore(run: Run, runtime: Runtime, drafts: readonly StackDraft[]): Promise<void> {
  const waiting = drafts.filter(({ startFailure }) => startFailure !== null)
  if (waiting.length === 0) return
  const entries = run.journal.entries().filter(({ runId }) => runId === run.id)
  for (const draft of waiting) {
    const entry = entries.find(({ name, directory }) => name === draft.name && directory === draft.directory)
    if (entry === undefined) continue
    try {
      await startDraft(run, runtime, draft, entry)
    } catch (error) {
      run.log('error', 'an error ended the second attempt to start it', { stack: draft.name, reason: String(error) })
    }
  }
}

async function startDraft(run: Run, runtime: Runtime, draft: StackDraft, entry: JournalEntry): Promise<void> {
  if (draft.startFailure === null || isAnythingLost(await findLostSources(entry))) return
  run.log('warning', 'starting again, at the end of the run', { stack: draft.name })
  const { start, up } = await startAndConfirm(entry, new Date(entry.writtenAt), {
    runtime,
    journal: run.journal,
    log: run.log,
    onPhase: (phase, progress) => run.reporter.stackPhase(draft.name, phase, progress),
    onStarting: () => {},
  })
  if (!up.ok || !up.value.isUp) {
    run.log('error', 'not up at the end of the run either', { stack: draft.name, reason: whyNotUp({ start, up }) })
    return
  }
  const { problem, statusWithout } = draft.startFailure
  draft.startFailure = null
  draft.confirmedAt = new Date()
  draft.status = statusWithout
  draft.problems.splice(draft.problems.indexOf(problem), 1, {
    severity: 'warning',
    code: 'started-late',
    message: `the stack was not up after its backup, and came up when it was started once more at the end of the run; before: ${problem.message}`,
    fix: `Look into docker compose logs in ${draft.directory}`,
    stack: draft.name,
  })
  draft.problems.push(...notYetHealthy(draft.name, up.value))
}
