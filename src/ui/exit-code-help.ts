const meanings = {
  0: 'success',
  1: 'failed',
  2: 'invalid usage or configuration; nothing was changed',
  3: 'partly done',
  4: 'a needed tool is missing, too old or does not answer',
  5: 'the remote cannot be reached, or the transfer failed',
  6: 'verification failed, or a corrupt file was found',
  7: 'a safety guard refused',
  10: 'the repository is missing',
  11: 'the repository is locked',
  12: 'the password of the repository is wrong',
  75: 'another stackbk run is in progress',
} as const

type ExitCode = keyof typeof meanings

/** What every command can end with, whatever it does. */
const always: readonly ExitCode[] = [0, 1, 2]

/** How a signal ends a command that has stacks to start again first. */
const interrupted = ['129, 130, 143', 'interrupted; every stopped stack was started again'] as const

const heading = 'EXIT CODES\n'

/**
 * The part of a command's description that says how it can end. `codes` come on top of 0, 1 and 2; `words` are those of a
 * command for which a code means something of its own.
 */
export function exitCodeHelp(codes: readonly (ExitCode | 'signals')[], words: Partial<Record<ExitCode, string>> = {}): string {
  const lines = [...new Set([...always, ...codes.filter((code) => code !== 'signals')])].toSorted((a, b) => a - b).map((code) => `${code} ${words[code] ?? meanings[code]}`)
  return [heading.trim(), ...lines, ...(codes.includes('signals') ? [interrupted.join(' ')] : [])].join('\n')
}

/** Every exit code with its meaning for most commands. */
export const generalExitCodes: readonly (readonly [string, string])[] = [...Object.entries(meanings).toSorted(([one], [other]) => Number(one) - Number(other)), interrupted]

/** The exit codes that a command's description names, each with its meaning. */
export function exitCodesOf(description: string): readonly (readonly [string, string])[] {
  const [, codes = ''] = description.split(heading)
  return codes.split('\n').flatMap((line) => {
    const [, code, meaning] = /^([\d, ]*\d) (.*)$/.exec(line) ?? []
    return code === undefined || meaning === undefined ? [] : [[code, meaning] as const]
  })
}

/** A command's description without its exit codes. */
export function withoutExitCodes(description: string): string {
  return description.split(heading)[0]?.trim() ?? ''
}
