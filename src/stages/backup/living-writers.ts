import { changedSince, renewChangeTimes, settleFiles, timesEveryWrite } from '../../host/file-times.js'
import type { Run } from '../run.js'
import type { StackPlan } from './stack-plan.js'

/** Whether processes live on through the snapshot, their memory maps with them: the stack is paused, or read as it runs. */
export function hasLivingWriters(plan: StackPlan): boolean {
  return plan.willStop ? plan.mode === 'pause' : plan.state.condition === 'running' || plan.state.condition === 'unknown'
}

/**
 * For a stack whose processes live on: a page that was dirty when it was read may be written to afterwards without a new time
 * for its file (docs/decisions/warm-pass.md), and the next backup would take the file for unmodified. To be called before the
 * reading; the answer, to be called after it, makes the engine read such files again the next time. Neither throws.
 */
export async function beforeReading(run: Run, plan: StackPlan): Promise<() => Promise<void>> {
  const paths = plan.paths.filter(timesEveryWrite)
  if (paths.length === 0) return () => Promise.resolve()
  const note = (reason: unknown): void => run.log('warning', 'files that are written to through memory maps may look unmodified to the next backup', { stack: plan.stack.name, reason: String(reason) })
  try {
    const moment = await settleFiles(paths, run.exec, run.signal)
    return async () => {
      const { files, doubt } = await changedSince(paths, moment)
      const failures = [...(doubt === null ? [] : [doubt]), ...renewChangeTimes(files)]
      if (failures.length > 0) note(failures.slice(0, 3).join('; '))
    }
  } catch (error) {
    if (!run.signal.aborted) note(error)
    return () => Promise.resolve()
  }
}
