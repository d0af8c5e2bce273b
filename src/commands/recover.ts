import { Args, Flags } from '../ui/command-line.js'

import { assertChoicesFit, recover } from '../stages/recover.js'
import { recoverableStacks } from '../stages/recover/recoverable.js'
import type { RecoverResult } from '../stages/recover/recover-result.js'
import type { Run } from '../stages/run.js'
import { presentRecover } from '../ui/present-recover.js'
import { recoverChoices, recoverFlags } from '../ui/recover-flags.js'
import type { ChosenRecovery } from '../ui/recover-prompt.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Recover extends StackbkCommand<RecoverResult> {
  static override summary = 'bring stacks back from a repository, up to running containers'
  static override description = `In a terminal without STACK, --all or --snapshot, you choose stack and snapshot from lists. Files are extracted while the present stack still runs. Then the stack is stopped, files and volumes are exchanged, and containers are created and started. The old data is kept until the recovered stack is up, and is put back if it does not come up.\n\n${exitCodeHelp([3, 4, 6, 7, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> recover nextcloud', '<%= config.bin %> recover --all --yes', '<%= config.bin %> recover gitea --snapshot 1a2b3c4d --target /tmp/look', '<%= config.bin %> recover gitea --path data/app.ini']
  static override args = { stack: Args.string({ description: 'stacks to recover', ignoreStdin: true, multiple: true }) }
  static override flags = {
    ...recoverFlags,
    'accept-repository': Flags.boolean({ default: false, description: 'accept another repository or disk at its location' }),
    'dry-run': Flags.boolean({ char: 'n', description: 'show what would be done, change nothing' }),
    repository: Flags.string({ description: 'folder of the repository (default: the configured one)', helpValue: 'PATH' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: RecoverResult; exitCode: number }> {
    const { args, flags } = await this.parse(Recover)
    const run = await this.openRun({ needs: flags.repository === undefined ? ['repository', 'password'] : ['password'], dryRun: flags['dry-run'], wait: flags.wait })
    const names = args.stack ?? []
    const isSaid = names.length > 0 || flags.all || flags.snapshot !== undefined || !this.mayAsk()
    if (!isSaid) assertChoicesFit(recoverChoices(flags, names))
    const choices = { ...recoverChoices(flags, names), ...(isSaid ? {} : await this.#chosen(run, flags)) }
    return recover(run, { ...choices, repository: flags.repository, acceptRepository: flags['accept-repository'], confirm: (question) => this.confirmed(question) })
  }

  async #chosen(run: Run, { repository, host }: { repository?: string | undefined; host?: string | undefined }): Promise<ChosenRecovery> {
    const stacks = await recoverableStacks(run, { repository, host })
    const { askForRecovery } = await import('../ui/recover-prompt.js')
    return askForRecovery(stacks)
  }

  protected present(result: RecoverResult): string {
    return presentRecover(result)
  }
}
