import { Args, Flags } from '../ui/command-line.js'

import { runBoth, type RunBothResult } from '../stages/run-both.js'
import { presentRun } from '../ui/present-run.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Run extends StackbkCommand<RunBothResult> {
  static override summary = 'back up, then sync: what a timer calls'
  static override description = `Runs both stages under one lock and reports them together. The sync follows even if a stack failed. If the remote is unknown or its transport cannot be set up, the backup is made all the same, and the run then fails.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'], { 2: 'invalid usage or configuration; a backup was made only if the sync alone was refused' })}`
  static override examples = ['<%= config.bin %> run', '<%= config.bin %> run --no-sync --json']
  static override args = { stack: Args.string({ description: 'stacks to back up (default: all enabled)', ignoreStdin: true, multiple: true }) }
  static override flags = {
    'dry-run': Flags.boolean({ char: 'n', description: 'show what would be done, change nothing' }),
    'no-sync': Flags.boolean({ description: 'only back up' }),
    scheduled: Flags.boolean({ default: false, description: 'as a schedule calls it: end with 1 instead of 75 if the lock is not held by a backup' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: RunBothResult; exitCode: number }> {
    const { args, flags } = await this.parse(Run)
    const sync = !flags['no-sync']
    const run = await this.openRun({ needs: ['stacks', 'repository', 'password', ...(sync ? (['remote'] as const) : [])], dryRun: flags['dry-run'], wait: flags.wait })
    return runBoth(run, { names: args.stack ?? [], verify: true, prune: true, acceptShrink: false, sync, isScheduled: flags.scheduled })
  }

  protected present(result: RunBothResult): string {
    return presentRun(result)
  }
}
