import { status, type StatusResult } from '../stages/status.js'
import { Flags } from '../ui/command-line.js'
import { presentStatus } from '../ui/present-status.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Status extends StackbkCommand<StatusResult> {
  static override summary = 'show how old the last good snapshots and the cloud copy are'
  static override description = exitCodeHelp([3, 4, 10, 11, 12, 'signals'], { 0: 'all is well', 3: 'something is overdue or was left stopped, or the last backup or sync failed', 4: 'the container runtime does not answer' })
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --json', '<%= config.bin %> status --html /var/www/backups.html']

  static override flags = { html: Flags.string({ description: 'also write an HTML report with charts of the past', helpValue: 'FILE' }) }

  protected async act(): Promise<{ result: StatusResult; exitCode: number }> {
    const { flags } = await this.parse(Status)
    const run = await this.openRun({ needs: ['repository', 'password'], changes: false })
    const outcome = await status(run)
    if (flags.html === undefined) return outcome
    // What draws is large, and wanted only here.
    const { writeStatusPage } = await import('../ui/page/pages.js')
    await writeStatusPage(flags.html, outcome.result, { historyFile: run.state.history, host: run.configuration.backup.hostname })
    return outcome
  }

  protected present(result: StatusResult): string {
    return presentStatus(result)
  }
}
