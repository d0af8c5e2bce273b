import { readFileSync } from 'node:fs'

import type { Capsule, FreeNetworks, Runtime } from '@stackbk/contract'

import { StackbkError, type Problem } from '../../errors.js'
import type { ChosenSnapshot } from '../recover/choice.js'
import { isCapsule } from '../recover/held-path.js'
import type { Run } from '../run.js'
import type { DrillSelection, NotDrilled } from './selection.js'

/** Returns how many more networks the engine has for the drill; `null` where that is not known. */
export async function freeNetworksFor(run: Run, runtime: Runtime, label: string): Promise<FreeNetworks | null> {
  const free = await runtime.freeNetworks?.(label, { signal: run.signal })
  if (free?.ok === false) run.log('warning', free.failure.message, { toolOutput: free.failure.toolOutput })
  return free?.ok === true ? free.value : null
}

/**
 * Leaves out the stacks that need a network where there is none, before their files are fetched for nothing. A stack counts as one
 * that needs a network unless its description on this host says otherwise. Throws `failed` (1) where no stack is left.
 */
export async function withNetworks(run: Run, runtime: Runtime, selection: DrillSelection, free: FreeNetworks | null): Promise<DrillSelection> {
  if (free?.count !== 0) return selection
  const { fix } = free
  const needing: ChosenSnapshot[] = []
  for (const one of selection.chosen) if (await needsNetwork(run, runtime, one)) needing.push(one)
  if (needing.length === 0) return selection
  const message = 'the Docker engine has no free address pool for the networks of a drill'
  if (needing.length === selection.chosen.length) throw new StackbkError({ kind: 'failed', code: 'no-free-network', message, detail: 'nothing was drilled', fix })
  const problem: Problem = { severity: 'error', code: 'no-free-network', message, fix }
  return {
    ...selection,
    chosen: selection.chosen.filter((one) => !needing.includes(one)),
    notDrilled: [...selection.notDrilled, ...needing.map(({ stack }): NotDrilled => ({ name: stack, code: 0, problem: { ...problem, stack } }))],
  }
}

async function needsNetwork(run: Run, runtime: Runtime, { snapshot }: ChosenSnapshot): Promise<boolean> {
  const path = snapshot.paths.find(isCapsule)
  try {
    const capsule = JSON.parse(readFileSync(path ?? '', 'utf8')) as Capsule
    const needs = await runtime.isolationNeeds?.(capsule, { signal: run.signal })
    return needs?.ok !== true || needs.value.networks > 0
  } catch {
    return true
  }
}
