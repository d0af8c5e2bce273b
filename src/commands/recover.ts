import { Args, Flags } from '../ui/command-line.js'

import { recover } from '../stages/recover.js'
import type { RecoverResult } from '../stages/recover/recover-result.js'
import { assertConfirmed } from '../ui/confirmation.js'
import { presentRecover } from '../ui/present-recover.js'
import { recoverChoices, recoverFlags } from '../ui/recover-flags.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Recover extends StackbkCommand<RecoverResult> {
  static override summary = 'bring stacks back from a repository, up to running containers'
  static override description = `Files come out of the snapshot first, while what is there still runs. Then the stack is stopped, files and volumes are exchanged, containers are made and started as they ran. What was there is kept until the new one is up, and comes back if it does not come up.\n\n${exitCodeHelp([3, 4, 6, 7, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> recover nextcloud', '<%= config.bin %> recover --all --yes', '<%= config.bin %> recover gitea --snapshot 1a2b3c4d --target /tmp/look', '<%= config.bin %> recover gitea --path data/app.ini']
  static override args = { stack: Args.string({ description: 'stacks to bring back', ignoreStdin: true, multiple: true }) }
  static override flags = {
    ...recoverFlags,
    'dry-run': Flags.boolean({ char: 'n', description: 'say what would be done, change nothing' }),
    repository: Flags.string({ description: 'folder of the repository (default: the configured one)', helpValue: 'PATH' }),
  }

  protected async act(): Promise<{ result: RecoverResult; exitCode: number }> {
    const { args, flags } = await this.parse(Recover)
    const run = await this.openRun({ needs: flags.repository === undefined ? ['repository', 'password'] : ['password'], dryRun: flags['dry-run'] })
    return recover(run, { ...recoverChoices(flags, args.stack ?? []), repository: flags.repository, confirm: (question) => assertConfirmed(question, flags.yes) })
  }

  protected present(result: RecoverResult): string {
    return presentRecover(result)
  }
}
