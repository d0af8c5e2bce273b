const meanings = {
  0: 'all done',
  1: 'failed',
  2: 'wrong usage or configuration, nothing was touched',
  3: 'partly done',
  4: 'a needed tool is missing, too old or not answering',
  5: 'the remote cannot be reached, or the transfer failed',
  6: 'verification failed, or a rotten file was found',
  7: 'a safety guard refused',
  10: 'the repository is missing',
  11: 'the repository is locked',
  12: 'the password of the repository is wrong',
  75: 'another stackbk run is at work',
} as const

type ExitCode = keyof typeof meanings

/** What every command can end with, whatever it does. */
const always: readonly ExitCode[] = [0, 1, 2]

/** How a signal ends a command that has stacks to start again first. */
const interrupted = '129, 130, 143 interrupted, after every stack was started again'

/**
 * The part of a command's help that says how it can end. `codes` come on top of 0, 1 and 2; `words` are those of a command
 * for which a code means something of its own.
 */
export function exitCodeHelp(codes: readonly (ExitCode | 'signals')[], words: Partial<Record<ExitCode, string>> = {}): string {
  const lines = [...new Set([...always, ...codes.filter((code) => code !== 'signals')])].toSorted((a, b) => a - b).map((code) => `${code} ${words[code] ?? meanings[code]}`)
  return ['EXIT CODES', ...lines, ...(codes.includes('signals') ? [interrupted] : [])].join('\n')
}
