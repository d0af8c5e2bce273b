import { Args } from '../../ui/command-line.js'

import { listSnapshots, type SnapshotsResult } from '../../stages/snapshots.js'
import { presentSnapshots } from '../../ui/present-snapshots.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Snapshots extends StackbkCommand<SnapshotsResult> {
  static override summary = 'list snapshots'
  static override description = exitCodeHelp([4, 10, 11, 12, 'signals'])
  static override hiddenAliases = ['list-backups']
  static override examples = ['<%= config.bin %> snapshots', '<%= config.bin %> snapshots nextcloud --json']
  static override args = { stack: Args.string({ description: 'only snapshots of this stack', ignoreStdin: true }) }

  protected async act(): Promise<{ result: SnapshotsResult; exitCode: number }> {
    const { args } = await this.parse(Snapshots)
    const run = await this.openRun({ needs: ['repository', 'password'], changes: false })
    return listSnapshots(run, args.stack)
  }

  protected present(result: SnapshotsResult): string {
    return presentSnapshots(result)
  }
}
