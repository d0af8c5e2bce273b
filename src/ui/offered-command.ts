import type { Interfaces } from '@oclif/core'

import type { SignalName } from '../errors.js'
import { catchSignals } from '../host/signals.js'
import { showError } from './error-text.js'

/** How a command ended that was run within another one. */
export interface OfferedEnd {
  readonly exitCode: number
  /** A signal that ends this process, not the command alone. */
  readonly endedBy: SignalName | null
}

/** All commands by their words, and how one of them is run from another. */
export function offeredBy(config: Pick<Interfaces.Config, 'commands' | 'runCommand'>): { readonly commands: ReadonlySet<string>; readonly run: (command: readonly string[], argv: readonly string[]) => Promise<OfferedEnd> } {
  return {
    commands: new Set(config.commands.map(({ id }) => id.replaceAll(':', ' '))),
    run: (command, argv) => runOffered(() => config.runCommand(command.join(':'), [...argv]), argv),
  }
}

/**
 * Runs a command in this same process. Its exit code is its own: the process' is as before. Ctrl-C is for the command; HUP
 * and TERM are for all of us.
 */
async function runOffered(command: () => Promise<unknown>, argv: readonly string[]): Promise<OfferedEnd> {
  const before = process.exitCode
  process.exitCode = undefined
  const interruption = catchSignals()
  const endedBy = (): SignalName | null => (interruption.received() === 'SIGINT' ? null : interruption.received())
  try {
    await command()
    return { exitCode: Number(process.exitCode ?? 0), endedBy: endedBy() }
  } catch (error) {
    // oclif's own commands throw; ours show their errors themselves.
    const asked = (error as { oclif?: { exit?: unknown } } | null)?.oclif?.exit
    const isExit = (error as { code?: unknown } | null)?.code === 'EEXIT'
    const shown = isExit ? 0 : showError(error, argv)
    return { exitCode: typeof asked === 'number' ? asked : shown, endedBy: endedBy() }
  } finally {
    interruption.dispose()
    process.exitCode = before
  }
}
