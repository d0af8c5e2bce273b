import { status, type StatusResult } from '../stages/status.js'
import { presentStatus } from '../ui/present-status.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Status extends StackbkCommand<StatusResult> {
  static override summary = 'how old the last good snapshot and the cloud copy are'
  static override description = 'EXIT CODES\n0 all is well\n2 wrong usage or configuration\n3 something is overdue\n4 the container runtime does not answer\n10, 11, 12 repository missing, locked, wrong password'
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
