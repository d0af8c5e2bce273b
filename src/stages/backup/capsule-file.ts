import { rmSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Capsule, ContainerEnd } from '@stackbk/contract'

import { writeFileAtomically } from '../../host/atomic-write.js'
import { capsulePath, ensureFolder } from '../../host/state-folder.js'
import { stackKey } from '../../stacks/identity.js'
import type { Run } from '../run.js'
import type { StackPlan } from './stack-plan.js'

/** The capsule's file, as a list of one; empty where there is none. It lies in the state folder, never in the stack's own. */
export function writeCapsule(run: Run, plan: StackPlan, ended: readonly ContainerEnd[]): readonly string[] {
  if (run.dryRun) return []
  const path = capsulePath(run.state, stackKey(plan.stack))
  if (plan.capsule === null) {
    // That of an earlier run would say what ran then.
    rmSync(path, { force: true })
    return []
  }
  const capsule: Capsule = {
    ...plan.capsule,
    stack: plan.stack.name,
    host: run.configuration.backup.hostname,
    ended,
    notes: [...plan.capsule.notes, ...plan.problems.map((problem) => problem.message)],
  }
  try {
    ensureFolder(dirname(path))
    writeFileAtomically(path, `${JSON.stringify(capsule, null, 2)}\n`, { mode: 0o600 })
    return [path]
  } catch (error) {
    run.log('error', 'the capsule could not be written', { stack: plan.stack.name, reason: String(error) })
    return []
  }
}
