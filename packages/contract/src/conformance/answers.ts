import assert from 'node:assert/strict'

import type { Answer, Failure } from '../answer.js'

/** The value of a good answer; a failed one fails the test, with its own words. */
export function valueOf<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value
  const { kind, message, toolOutput } = answer.failure
  throw new assert.AssertionError({ message: `expected an answer, got ${kind}: ${message}\n${toolOutput ?? ''}` })
}

/** The failure of a failed answer; a good one fails the test. */
export function failureOf(answer: Answer<unknown>): Failure {
  if (!answer.ok) return answer.failure
  throw new assert.AssertionError({ message: 'expected a failure, got an answer' })
}

export function kindOf(answer: Answer<unknown>): string {
  return answer.ok ? 'no failure' : answer.failure.kind
}
