import { findConfigurationFile } from '../config/config-file.js'
import { loadConfiguration } from '../config/configuration.js'
import { StackbkError } from '../errors.js'
import { surviveLostOutput } from '../host/output.js'
import { stateFolder } from '../host/state-folder.js'
import { type Overview, overview } from '../stages/overview.js'
import { Command } from '../ui/command-line.js'
import { showError } from '../ui/error-text.js'
import { menuHeader, showMenu } from '../ui/menu.js'
import { menuEntries } from '../ui/menu-entries.js'
import { offeredBy } from '../ui/offered-command.js'
import { StackbkCommand } from '../ui/stackbk-command.js'
import { mayAsk } from '../ui/terminal.js'

/** `stackbk` alone in a terminal. It chooses, the other commands do: each is run here as if it had been typed. */
export default class Menu extends Command {
  static override hidden = true
  static override summary = 'choose what to do'
  static override description = 'What stackbk without a command does in a terminal. The global flags are handed on.\n\nEXIT CODES\n0 left by its last entry\n2 there is no terminal\n129, 130, 143 left by HUP, by Esc, Ctrl-C, Ctrl-D or INT, by TERM'
  static override baseFlags = StackbkCommand.baseFlags

  override async run(): Promise<void> {
    const output = surviveLostOutput()
    try {
      const { flags } = await this.parse(Menu)
      if (!mayAsk(flags)) throw new StackbkError({ kind: 'usage', code: 'no-terminal', message: 'the menu needs a terminal', fix: 'See: stackbk --help' })
      const environment = process.env
      const place = (): ReturnType<typeof findConfigurationFile> => findConfigurationFile({ file: flags.config, environment })
      const look = (): Overview => overview(loadConfiguration({ file: flags.config, environment, descriptors: [] }), stateFolder(environment))
      const { commands, run } = offeredBy(this.config)
      process.exitCode = await showMenu({
        title: 'What would you like to do?',
        header: () => menuHeader(look, place()),
        choices: () => menuEntries({ commands, isConfigured: place().exists, hasLeftStopped: hasLeftStopped(look) }),
        globals: this.argv,
        run,
      })
    } catch (error) {
      process.exitCode = showError(error, this.argv)
    } finally {
      output.close()
    }
  }
}

function hasLeftStopped(look: () => Overview): boolean {
  try {
    return look().leftStopped.length > 0
  } catch {
    return false
  }
}
