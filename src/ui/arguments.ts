/** Global flags that take a value. */
const withValue = new Set(['--config', '-c'])
const withoutValue = new Set(['--json', '--verbose', '-v', '--quiet', '-q', '--no-color', '--yes', '-y'])

/**
 * Global flags may stand before the command; oclif takes the first word for the command, so those are moved behind it. Help
 * and version stay where they are.
 */
export function arrangeArguments(argv: readonly string[]): string[] {
  const leading: string[] = []
  let index = 0
  for (; index < argv.length; index++) {
    const word = argv[index] ?? ''
    if (withValue.has(word) && index + 1 < argv.length) leading.push(word, argv[++index] ?? '')
    else if (withoutValue.has(word) || /^--config=/.test(word) || /^-c.+/.test(word)) leading.push(word)
    else break
  }
  const rest = argv.slice(index)
  if (process.env['NO_COLOR'] === undefined && argv.includes('--no-color')) process.env['NO_COLOR'] = '1'
  const end = rest.indexOf('--')
  return rest.length === 0 ? leading : end < 0 ? [...rest, ...leading] : [...rest.slice(0, end), ...leading, ...rest.slice(end)]
}
