import { Args, Flags } from '../ui/command-line.js'

import { restore } from '../stages/restore.js'
import { restoreAndRecover, type RestoreAndRecoverResult } from '../stages/restore-and-recover.js'
import type { RestoreResult } from '../stages/restore/restore-result.js'
import { isPlainWord, refusalOfWord } from '../stages/restore/target-word.js'
import { presentRestore } from '../ui/present-restore.js'
import { assertOnlyWithRecover, onlyWithRecover, recoverChoices, recoverFlags } from '../ui/recover-flags.js'
import { lockWait } from '../ui/flag-values.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class Restore extends StackbkCommand<RestoreResult | RestoreAndRecoverResult> {
  static override summary = 'download the repository from the cloud and verify it'
  static override description = `Without PATH the repository goes to its configured location if nothing is there, otherwise to a dated folder next to it. Run the same command again to continue an interrupted restore. Every file is checked against its SHA-256; then the repository is opened and checked, if the password is known. A PATH that holds this repository gets what is missing there, and nothing that was forgotten there. A word without / is never a PATH: for a stack, see recover.\n\n${exitCodeHelp([3, 4, 5, 6, 7, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> restore', '<%= config.bin %> restore /mnt/new-disk/repository --read-data', '<%= config.bin %> restore --recover --all --yes']
  static override args = { path: Args.string({ description: 'folder to restore to (a path with a /)', ignoreStdin: true }) }
  static override flags = {
    ...onlyWithRecover({ ...recoverFlags, stack: Flags.string({ description: 'this stack; may be given more than once', helpValue: 'NAME', multiple: true }) }),
    'dry-run': Flags.boolean({ char: 'n', description: 'show what would be done, change nothing' }),
    'read-data': Flags.boolean({ description: 'also let the engine read all data' }),
    recover: Flags.boolean({ default: false, description: 'then recover stacks from it' }),
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
