import { failureInOneLine, type Finding } from '@stackbk/contract'

import { messageWithReason, StackbkError } from '../errors.js'
import { reasonOf } from './thrown.js'

/** Returns an error as `doctor` shows it: its message and, if there is one, the reason. */
export function describeError(error: unknown): string {
  return error instanceof StackbkError ? messageWithReason(error) : reasonOf(error)
}

/** Returns the finding of a `ready()` that did not answer with success; none where it did. `id`: of the provider. */
export function notReady(id: string, answer: unknown): readonly Finding[] {
  const { ok, failure } = (answer ?? {}) as { readonly ok?: unknown; readonly failure?: { readonly kind?: unknown; readonly message?: unknown; readonly toolOutput?: string; readonly fix?: string } }
  if (ok === true) return []
  const facts = { id: `${id}.ready`, status: 'failed', needed: 'a provider that is ready' } as const
  if (ok !== false || typeof failure?.message !== 'string') return [{ ...facts, found: 'ready() returned something that is not an Answer', fix: 'Report it to the authors of the plugin' }]
  const isToolTrouble = typeof failure.kind === 'string' && failure.kind.startsWith('tool-')
  return [{ ...facts, found: failureInOneLine({ message: failure.message, ...(typeof failure.toolOutput === 'string' ? { toolOutput: failure.toolOutput } : {}) }), fix: failure.fix ?? '', ...(isToolTrouble ? { isToolTrouble } : {}) }]
}
