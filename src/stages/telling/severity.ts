import type { StackbkEvent } from '@stackbk/contract'

import type { Severity } from '../../providers/notifiers.js'

/** A run that did not end with 0 has failed, wholly or in part. One that did, and has something to say against it, is a warning. */
export function severityOf({ event, exitCode = 0, result }: StackbkEvent): Severity {
  if (event !== 'run-finished') return 'good'
  if (exitCode !== 0) return 'failure'
  const { problems } = (result ?? {}) as { readonly problems?: unknown }
  return Array.isArray(problems) && problems.length > 0 ? 'warning' : 'good'
}
