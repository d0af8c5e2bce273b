import { Config } from '@oclif/core/config'

import { isCommandLineError } from '../errors.js'
import { showError } from './error-text.js'
import { knownCommands, unknownCommand } from './unknown-command.js'

/** What reached the end of the program: from oclif's own commands and its help. Sets the exit code. */
export async function endWithError(error: unknown, argv: readonly string[], root: string): Promise<void> {
  const exit = isCommandLineError(error) ? error.oclif.exit : undefined
  if ((error as { code?: unknown } | null)?.code === 'EEXIT') {
    process.exitCode = exit ?? 1
    return
  }
  // Help for a command that there is not.
  const asked = error instanceof Error ? /^Command (.+) not found\.$/.exec(error.message)?.[1] : undefined
  if (asked !== undefined) {
    const { commands } = await Config.load(root)
    process.exitCode = showError(unknownCommand(asked.split(':'), knownCommands(commands)), argv)
    return
  }
  const code = showError(error, argv)
  process.exitCode = exit ?? code
}
