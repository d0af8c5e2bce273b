import { status, type StatusResult } from '../stages/status.js'
import { presentStatus } from '../ui/present-status.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Status extends StackbkCommand<StatusResult> {
  static override summary = 'how old the last good snapshot and the cloud copy are'
  static override description = exitCodeHelp([3, 4, 10, 11, 12, 'signals'], { 0: 'all is well', 3: 'something is overdue, or was left stopped', 4: 'the container runtime does not answer' })
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --json']

  protected async act(): Promise<{ result: StatusResult; exitCode: number }> {
    await this.parse(Status)
    const run = await this.openRun({ needs: ['repository', 'password'], changes: false })
    return status(run)
  }

  protected present(result: StatusResult): string {
    return presentStatus(result)
  }
}
