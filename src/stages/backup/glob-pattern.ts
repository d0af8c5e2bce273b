/** Returns an expression for a text that a pattern matches as a whole: `*` is any text, `?` one character, everything else itself. */
export function globPattern(pattern: string): RegExp {
  const source = pattern.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'su')
}
