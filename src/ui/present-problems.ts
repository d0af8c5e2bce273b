import type { Problem } from '../errors.js'

/** Each problem on a line, its fix on the next; empty for none. */
export function presentProblems(problems: readonly Problem[]): string {
  return problems
    .map(({ severity, message, fix, stack }) => `${severity}: ${stack === undefined ? '' : `${stack}: `}${message}${fix === '' ? '' : `\n  next: ${fix}`}`)
    .join('\n')
}

/** Blocks of text with an empty line between; empty ones are left out. */
export function blocks(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n\n')
}
