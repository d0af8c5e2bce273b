import { Args, Flags } from '../ui/command-line.js'

import { restore } from '../stages/restore.js'
import { restoreAndRecover, type RestoreAndRecoverResult } from '../stages/restore-and-recover.js'
import type { RestoreResult } from '../stages/restore/restore-result.js'
import { isPlainWord, refusalOfWord } from '../stages/restore/target-word.js'
import { presentRestore } from '../ui/present-restore.js'
import { assertOnlyWithRecover, recoverChoices, recoverFlags } from '../ui/recover-flags.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Restore extends StackbkCommand<RestoreResult | RestoreAndRecoverResult> {
  static override summary = 'bring the repository back from the cloud and prove it sound'
  static override description = `Without PATH the configured place is used if nothing is there, else a dated folder beside it. A restore that was cut short is gone on with by the same command. Every file is compared with its SHA-256, then the repository is opened and checked; without a password that last step is skipped. A PATH that holds this very repository gets what it lacks, and nothing that was forgotten there. A plain word without / is never taken as a PATH: for a stack, see recover. With --recover the stacks follow.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> restore', '<%= config.bin %> restore /mnt/new-disk/repository --read-data', '<%= config.bin %> restore --recover --all --yes']
  static override args = { path: Args.string({ description: 'folder to restore to: a path with a /', ignoreStdin: true }) }
  static override flags = {
    ...recoverFlags,
    'dry-run': Flags.boolean({ char: 'n', description: 'say what would be done, change nothing' }),
    'read-data': Flags.boolean({ description: 'let the engine read all data back too' }),
    stack: Flags.string({ description: 'with --recover: this stack (may be given more than once)', helpValue: 'NAME', multiple: true }),
    recover: Flags.boolean({ default: false, description: 'then bring stacks back from it: takes the options of recover (--all, --host, ...)' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: RestoreResult | RestoreAndRecoverResult; exitCode: number }> {
    const { args, flags } = await this.parse(Restore)
    if (!flags.recover) assertOnlyWithRecover(flags)
    // The stacks are known from the configuration alone, with or without a remote.
    if (args.path !== undefined && isPlainWord(args.path)) throw refusalOfWord(args.path, (await this.openRun({ needs: [], changes: false, dryRun: flags['dry-run'] })).configuration)
    const needs = [...(args.path === undefined ? (['repository'] as const) : []), 'remote' as const, ...(flags.recover ? (['password'] as const) : [])]
    const run = await this.openRun({ needs, dryRun: flags['dry-run'], wait: flags.wait })
    const choices = { path: args.path, readData: flags['read-data'] }
    if (!flags.recover) return restore(run, choices)
    return restoreAndRecover(run, { ...choices, recover: { ...recoverChoices(flags, flags.stack ?? []), confirm: (question) => this.confirmed(question) } })
  }

  protected present(result: RestoreResult | RestoreAndRecoverResult): string {
    return presentRestore(result)
  }
}
