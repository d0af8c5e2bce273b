import { realPathSoFar } from '../../host/mounts.js'
import type { KnownStack } from '../../stacks/selection.js'
import type { Run } from '../run.js'

/** A place of this host that no snapshot of a stack may take along, whatever the stack has mounted. */
export interface ReservedPlace {
  readonly kind: 'repository' | 'state' | 'stack'
  /** Absolute; symbolic links resolved. */
  readonly path: string
  /** The stack's name; empty for others. */
  readonly name: string
  /** Of a stack: it has a backup of its own. */
  readonly isEnabled: boolean
}

/** Returns the repository's folder, the state folder and the folders of all stacks. */
export async function reservedPlaces(run: Run, stacks: readonly KnownStack[]): Promise<readonly ReservedPlace[]> {
  const { path } = (await run.engine()).location()
  return [
    ...(path === null ? [] : [{ kind: 'repository' as const, path: realPathSoFar(path), name: '', isEnabled: false }]),
    { kind: 'state', path: realPathSoFar(run.state.root), name: '', isEnabled: false },
    ...stacks.map(({ name, directory, isEnabled }) => ({ kind: 'stack' as const, path: directory, name, isEnabled })),
  ]
}
