import { exitCodes } from '../errors.js'
import { firstSteps } from './menu-entries.js'
import { showMenu } from './menu.js'
import type { OfferedEnd } from './offered-command.js'

export interface AfterConfigurationRequest {
  /** The configuration that was written. */
  readonly file: string
  readonly commands: ReadonlySet<string>
  readonly run: (command: readonly string[], argv: readonly string[]) => Promise<OfferedEnd>
}

/**
 * Tries what was written (the configuration itself, tools, repository and remote), then offers what comes next. Gives the
 * exit code: what the trials ended with, or what the menu was left with.
 */
export async function afterConfiguration({ file, commands, run }: AfterConfigurationRequest): Promise<number> {
  const globals = ['--config', file]
  const codes: number[] = []
  for (const command of [['config', 'check'], ['doctor']]) {
    process.stdout.write(`\n$ stackbk ${command.join(' ')} --config ${file}\n`)
    const { exitCode, endedBy } = await run(command, globals)
    if (endedBy !== null) return exitCodes.ofSignal(endedBy)
    codes.push(exitCode)
  }
  process.stdout.write('\n')
  const left = await showMenu({ title: 'What comes next?', header: () => [], choices: () => firstSteps(commands), globals, run, codeOfEscape: 0, isSequence: true })
  return exitCodes.first([left, ...codes])
}
