import * as Args from '@oclif/core/args'
import { Command } from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'

/**
 * `stackbk notify test`. Who is told what is the core's affair, and so is what is wrong with a call: it gets all as it was
 * given, so that errors, `--json` and exit codes are those of every other command.
 */
export default class NotifyTest extends Command {
  static override summary = 'send a test message'
  static override description = `Sends a test message to every section [notify:NAME], or to the named one, whatever its ON says. A pinged check keeps its state if its server supports /log, and the text file keeps its figures.

EXIT CODES
0 all were sent
1 none was sent
2 invalid usage or configuration, or an unknown NAME; nothing was changed
3 some were not sent`
  static override examples = ['<%= config.bin %> notify test', '<%= config.bin %> notify test mail --json']
  static override args = { name: Args.string({ description: 'name of a section [notify:NAME]', ignoreStdin: true }) }
  static override flags = {
    config: Flags.string({ char: 'c', description: 'configuration file', helpGroup: 'GLOBAL', helpValue: 'FILE' }),
    json: Flags.boolean({ description: 'print one JSON document on standard output', helpGroup: 'GLOBAL' }),
    'no-color': Flags.boolean({ description: 'no colour (also NO_COLOR)', helpGroup: 'GLOBAL' }),
    quiet: Flags.boolean({ char: 'q', description: 'say only what went wrong', helpGroup: 'GLOBAL' }),
    verbose: Flags.boolean({ char: 'v', description: 'say more', helpGroup: 'GLOBAL' }),
    yes: Flags.boolean({ char: 'y', description: 'answer every confirmation with yes', helpGroup: 'GLOBAL' }),
  }

  override async run(): Promise<void> {
    await this.config.runCommand('notify:send-test', this.argv)
  }
}
