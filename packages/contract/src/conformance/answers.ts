import assert from 'node:assert/strict'
import { inspect } from 'node:util'

import type { Answer, Failure } from '../answer.js'

/** The value of a good answer; a failed one fails the test, with its own words. */
export function valueOf<T>(answer: Answer<T>): T {
  expectAnswer(answer)
  if (answer.ok) return answer.value
  const { kind, message, toolOutput } = answer.failure
  throw new assert.AssertionError({ message: `expected an answer, got ${kind}: ${message}\n${toolOutput ?? ''}` })
}

/** The failure of a failed answer; a good one fails the test. */
export function failureOf(answer: Answer<unknown>): Failure {
  expectAnswer(answer)
  if (!answer.ok) return answer.failure
  throw new assert.AssertionError({ message: 'expected a failure, got an answer' })
}

/** A provider in JavaScript may give anything. */
function expectAnswer(answer: unknown): void {
  const { ok, failure } = (typeof answer === 'object' && answer !== null ? answer : {}) as { readonly ok?: unknown; readonly failure?: { readonly kind?: unknown; readonly message?: unknown } }
  const isAnswer = ok === true || (ok === false && typeof failure?.kind === 'string' && typeof failure.message === 'string')
  if (!isAnswer) throw new assert.AssertionError({ message: `a call of a provider gives an Answer: answered(value), done, or failed({ kind, message }); it gave ${inspect(answer)}` })
}

export function kindOf(answer: Answer<unknown>): string {
  return answer.ok ? 'no failure' : answer.failure.kind
}
