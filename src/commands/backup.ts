import { Args, Flags } from '../ui/command-line.js'

import { backup } from '../stages/backup.js'
import type { BackupResult } from '../stages/backup/backup-result.js'
import { presentBackup } from '../ui/present-backup.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Backup extends StackbkCommand<BackupResult> {
  static override summary = 'back up stacks, stopping each for as short a time as possible'
  static override description = `Backs up one stack after another: records what runs, stops the stack, takes a snapshot, starts exactly what ran and waits until it is up. Verification and retention follow when all stacks are up again.\n\n${exitCodeHelp([3, 4, 6, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> backup', '<%= config.bin %> backup nextcloud gitea --json', '<%= config.bin %> backup --dry-run']
  static override args = {
    stack: Args.string({ description: 'stacks to back up (default: all enabled)', ignoreStdin: true, multiple: true }),
  }

  static override flags = {
    'accept-repository': Flags.boolean({ default: false, description: 'accept another repository or disk at its location' }),
    'accept-shrink': Flags.boolean({ description: 'accept that a stack has become smaller' }),
    'dry-run': Flags.boolean({ char: 'n', description: 'show what would be done, change nothing' }),
    'no-prune': Flags.boolean({ description: 'keep all old snapshots' }),
    'no-verify': Flags.boolean({ description: 'do not verify the new snapshots' }),
    'stop-mode': Flags.option({ description: 'how to stop stacks: auto, down, stop, pause or none', helpValue: 'MODE', options: ['auto', 'down', 'stop', 'pause', 'none'] as const })(),
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
