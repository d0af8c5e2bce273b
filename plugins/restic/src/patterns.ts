import { answered, failed, hasRawBytes, type Answer } from '@stackbk/contract'

/**
 * The user's patterns as lines of an exclude file that mean what `--exclude` would: restic trims such lines, takes `#` for a
 * comment and puts in variables for `$NAME`.
 */
export function patternLines(patterns: readonly string[]): Answer<readonly string[]> {
  const broken = patterns.find((pattern) => /[\n\r\0]/.test(pattern))
  if (broken !== undefined) {
    return failed({
      kind: 'configuration',
      message: `the exclude pattern ${JSON.stringify(broken)} spans more than one line`,
      fix: 'Correct EXCLUDE',
    })
  }
  return answered(patterns.filter((pattern) => pattern !== '').map(patternLine))
}

function patternLine(pattern: string): string {
  return pattern
    .replace(
      /(\\*)(\s+)$/,
      (_, backslashes: string, blanks: string) =>
        `${backslashes.length % 2 === 1 ? backslashes.slice(1) : backslashes}${asClasses(blanks)}`,
    )
    .replace(/^\s+|^#/, asClasses)
    .replaceAll('$', '$$$$')
}

/**
 * Returns lines of an exclude file that leave out these paths and what is below them, but nothing of the roots that lie there. To
 * be put in front of the user's own patterns, since a negated pattern takes back what stands before it.
 */
export function excludedPathLines(paths: readonly string[], roots: readonly string[]): readonly string[] {
  return paths.flatMap((path) => {
    const below = path === '/' ? '/' : `${path}/`
    const patternOf = (literal: string): string => patternLine(literalPattern(literal).replaceAll(/[\n\r]/g, '?'))
    return [patternOf(path), ...roots.filter((root) => root.startsWith(below)).map((root) => `!${patternOf(root)}`)]
  })
}

/** Each character as a class of its own, which matches just it. */
function asClasses(text: string): string {
  return [...text].map((character) => `[${character}]`).join('')
}

/** A path as a pattern that matches just it and what is below. */
export function literalPattern(path: string): string {
  return path.replaceAll(/[\\*?[\]]/g, '\\$&')
}

/** Returns the pattern with any byte in the place of each that is not UTF-8, since no argument can hold one. */
export function withAnyByte(pattern: string): string {
  return hasRawBytes(pattern) ? pattern.replaceAll(/(?<![\ud800-\udbff])[\udc80-\udcff]/g, '?') : pattern
}
