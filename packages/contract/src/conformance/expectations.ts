import assert from 'node:assert/strict'
import { inspect } from 'node:util'

/** Fails the test unless both are equal in depth. `what` says in words what is wanted, and stands before both values. */
export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  try {
    assert.deepEqual(actual, expected)
  } catch {
    throw new assert.AssertionError({ message: `${what}: expected ${shown(expected)}, got ${shown(actual)}`, actual, expected, operator: 'deepStrictEqual' })
  }
}

/** Fails the test unless the fact holds. `what` says in words what is wanted. */
export function expectThat(what: string, holds: boolean): asserts holds {
  if (!holds) throw new assert.AssertionError({ message: what, actual: holds, expected: true, operator: '==' })
}

/** Fails the test unless the text matches. */
export function expectMatch(what: string, text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new assert.AssertionError({ message: `${what}: expected ${String(pattern)}, got ${shown(text)}`, actual: text, expected: pattern, operator: 'match' })
}

function shown(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: 120, maxStringLength: 300, maxArrayLength: 30 })
}
