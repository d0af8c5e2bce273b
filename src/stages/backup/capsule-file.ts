import { rmSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Capsule, ContainerEnd } from '@stackbk/contract'

import { removeUnfinishedWrites, writeFileAtomically } from '../../host/atomic-write.js'
import { machineId } from '../../host/machine-id.js'
import { realPathSoFar } from '../../host/mounts.js'
import { capsulePath, ensureFolder } from '../../host/state-folder.js'
import { stackKey } from '../../stacks/identity.js'
import type { Run } from '../run.js'
import type { StackPlan } from './stack-plan.js'

export interface WrittenCapsule {
  /** The capsule's file, as a list of one; empty where there is none. It lies in the state folder, never in the stack's own. */
  readonly paths: readonly string[]
  /** Why it could not be written; `null` when it was, or there is none to write. */
  readonly reason: string | null
}

/** Writes what recovery will need to know where the snapshot finds it. Never throws. */
export function writeCapsule(run: Run, plan: StackPlan, ended: readonly ContainerEnd[]): WrittenCapsule {
  if (run.dryRun) return { paths: [], reason: null }
  const path = capsulePath(run.state, stackKey(plan.stack))
  try {
    removeUnfinishedWrites(path)
    if (plan.capsule === null) {
      // That of an earlier run would say what ran then.
      rmSync(path, { force: true })
      return { paths: [], reason: null }
    }
    const machine = machineId(run.state)
    const capsule: Capsule = {
      ...plan.capsule,
      stack: plan.stack.name,
      stacksDirectory: realPathSoFar(run.configuration.docker.stacksDirectory),
      host: run.configuration.backup.hostname,
      ...(machine === null ? {} : { machineId: machine }),
      ended,
      excludes: plan.excludes,
      excludeRoots: plan.paths,
      writableBinds: plan.sources.filter(({ kind, isWritable, path: source }) => kind === 'bind' && isWritable && plan.paths.includes(source)).map(({ path: source }) => source),
      notes: [...plan.capsule.notes, ...plan.problems.map((problem) => problem.message)],
    }
    ensureFolder(dirname(path))
    writeFileAtomically(path, `${JSON.stringify(capsule, null, 2)}\n`, { mode: 0o600 })
    return { paths: [path], reason: null }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    run.log('error', 'the capsule could not be written', { stack: plan.stack.name, reason })
    return { paths: [], reason }
  }
}
