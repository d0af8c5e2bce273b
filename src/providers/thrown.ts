import { fileURLToPath } from 'node:url'

/** Kinds of error that code has by mistake: where it is says more than the message. */
const mistakes: readonly string[] = ['SyntaxError', 'TypeError', 'ReferenceError', 'RangeError']

/**
 * Returns the message of whatever was thrown, in words. For a mistake in code, such as a syntax error, the file and line follow.
 */
export function reasonOf(thrown: unknown): string {
  const { name, message, stack } = (thrown ?? {}) as { readonly name?: unknown; readonly message?: unknown; readonly stack?: unknown }
  if (!(thrown instanceof Error)) return typeof message === 'string' ? message : String(thrown)
  const words = thrown.message === '' ? thrown.name : thrown.message
  const place = mistakes.includes(String(name)) && typeof stack === 'string' ? placeIn(stack) : null
  return place === null ? words : `${words} (${place})`
}

/** Returns the stack of whatever was thrown; of what has none, its message. */
export function stackOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.stack !== undefined ? thrown.stack : reasonOf(thrown)
}

/**
 * As {@link reasonOf}, with the place of a syntax error that kept a module of the plugin from being loaded. `root`: the plugin's
 * folder.
 */
export async function reasonIn(root: string | null, thrown: unknown): Promise<string> {
  const reason = reasonOf(thrown)
  if (root === null || !(thrown instanceof SyntaxError) || placeIn(thrown.stack ?? '') !== null) return reason
  const { syntaxErrorPlace } = await import('./syntax-error-place.js')
  const place = await syntaxErrorPlace(root)
  return place === null ? reason : `${reason} (${place})`
}

/** The first frame of the stack that is in a file. */
function placeIn(stack: string): string | null {
  const place = stack.split('\n').map((line) => /^ +at (?:.*\()?((?:file:\/\/)?\/.+?:\d+)(?::\d+)?\)?$/.exec(line)?.[1]).find((found) => found !== undefined)
  if (place === undefined) return null
  const [, file = '', line = ''] = /^(.+):(\d+)$/.exec(place) ?? []
  return `${file.startsWith('file:') ? fileURLToPath(file) : file}:${line}`
}
