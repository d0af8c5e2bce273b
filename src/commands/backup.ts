import { Args, Flags } from '../ui/command-line.js'

import { backup } from '../stages/backup.js'
import type { BackupResult } from '../stages/backup/backup-result.js'
import { presentBackup } from '../ui/present-backup.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Backup extends StackbkCommand<BackupResult> {
  static override summary = 'snapshot stacks, each stopped for as short as possible'
  static override description = `Takes the enabled stacks, or those named, one after another: notes what runs, opens the repository, stops the stack, takes its snapshot, starts exactly what ran, waits until it is up. Verification and retention follow when all are up again.\n\n${exitCodeHelp([3, 4, 6, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> backup', '<%= config.bin %> backup nextcloud gitea --json', '<%= config.bin %> backup --dry-run']
  static override args = {
    stack: Args.string({ description: 'stacks to back up (default: all enabled)', ignoreStdin: true, multiple: true }),
  }

  static override flags = {
    'accept-repository': Flags.boolean({ default: false, description: 'use the repository at its location, although it is another one than before or its disk was another one' }),
    'accept-shrink': Flags.boolean({ description: 'a stack that has shrunk is right so' }),
    'dry-run': Flags.boolean({ char: 'n', description: 'say what would be done, change nothing' }),
    'no-prune': Flags.boolean({ description: 'forget nothing, free nothing' }),
    'no-verify': Flags.boolean({ description: 'do not verify the new snapshots' }),
    'stop-mode': Flags.option({ description: 'how stacks are stopped', options: ['auto', 'down', 'stop', 'pause', 'none'] as const })(),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: BackupResult; exitCode: number }> {
    const { args, flags } = await this.parse(Backup)
    const run = await this.openRun({ needs: ['stacks', 'repository', 'password'], dryRun: flags['dry-run'], wait: flags.wait })
    return backup(run, {
      names: args.stack ?? [],
      verify: !flags['no-verify'],
      prune: !flags['no-prune'],
      stopMode: flags['stop-mode'],
      acceptShrink: flags['accept-shrink'],
      acceptRepository: flags['accept-repository'],
    })
  }

  protected present(result: BackupResult): string {
    return presentBackup(result)
  }
}
