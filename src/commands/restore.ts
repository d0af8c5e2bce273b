import { Args, Flags } from '../ui/command-line.js'

import { restore } from '../stages/restore.js'
import type { RestoreResult } from '../stages/restore/restore-result.js'
import { presentRestore } from '../ui/present-restore.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Restore extends StackbkCommand<RestoreResult> {
  static override summary = 'bring the repository back from the cloud and prove it sound'
  static override description = `Without PATH the configured place is used if nothing is there, else a dated folder beside it. A restore that was cut short is gone on with by the same command. Every file is compared with its SHA-256, then the repository is opened and checked; without a password that last step is skipped.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> restore', '<%= config.bin %> restore /mnt/new-disk/repository --read-data']
  static override args = { path: Args.string({ description: 'folder to restore to', ignoreStdin: true }) }
  static override flags = {
    'dry-run': Flags.boolean({ char: 'n', description: 'say what would be done, change nothing' }),
    'read-data': Flags.boolean({ description: 'let the engine read all data back too' }),
  }

  protected async act(): Promise<{ result: RestoreResult; exitCode: number }> {
    const { args, flags } = await this.parse(Restore)
    const run = await this.openRun({ needs: args.path === undefined ? ['repository', 'remote'] : ['remote'], dryRun: flags['dry-run'] })
    return restore(run, { path: args.path, readData: flags['read-data'] })
  }

  protected present(result: RestoreResult): string {
    return presentRestore(result)
  }
}
