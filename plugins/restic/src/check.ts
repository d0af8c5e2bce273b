import { answered, failed, type Answer, type CheckRequest, type CheckResult } from '@stackbk/contract'

import { isOfCircumstances } from './failure.js'
import { openRepository } from './repository.js'
import type { Restic } from './restic.js'
import { retryNote, RetryProgress } from './retries.js'
import { wordsOf } from './words.js'

const mostErrors = 100

/** Structure of the whole repository, and as much of its data as asked for. restic wants the repository for itself. */
export async function checkRepository(restic: Restic, request: CheckRequest): Promise<Answer<CheckResult>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  const errors: string[] = []
  const retrying = new RetryProgress('check', request.onProgress)
  const result = await restic.run({
    command: 'check',
    flags: readFlags(request),
    locking: 'if-possible',
    onStderrLine: (line) => {
      retrying.line(line)
      if (retryNote(line) !== '') return
      const words = wordsOf(line)
      if (words !== '' && errors.length < mostErrors && !errors.includes(words)) errors.push(words)
    },
    options: request,
  })
  if (result.outcome === 'exited' && result.exitCode === 0) return answered({ isSound: true, errors: [] })
  const what = `the check of ${restic.place.display} could not be done`
  if (result.outcome !== 'exited' || result.exitCode !== 1) return restic.failed(result, what)
  // For 1 stands everything from a lost pack to a password that cannot be had; where the repository opens, it is the former.
  const opened = await openRepository(restic, request)
  if (!opened.ok) return opened
  if (isOfCircumstances(errors)) return failed({ kind: 'failed', message: what, toolOutput: errors.join('\n') })
  return answered({ isSound: false, errors: errors.length === 0 ? ['restic found errors'] : errors })
}

/** `n/t` reads each pack once in t checks; a percentage reads a random share. */
function readFlags({ readDataPercent, part }: CheckRequest): string[] {
  if (part !== undefined) return [`--read-data-subset=${part.n}/${part.of}`]
  if (readDataPercent >= 100) return ['--read-data']
  return readDataPercent > 0 ? [`--read-data-subset=${readDataPercent}%`] : []
}
