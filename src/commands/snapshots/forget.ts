import { Args, Flags } from '../../ui/command-line.js'

import { findSnapshots, forgetSnapshots, type ForgetResult } from '../../stages/snapshots.js'
import { assertConfirmed } from '../../ui/confirmation.js'
import { presentForget } from '../../ui/present-snapshots.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class SnapshotsForget extends StackbkCommand<ForgetResult> {
  static override summary = 'forget snapshots by their IDs'
  static override description = `Their space is freed by the next backup's retention. The cloud copy follows at the next sync.\n\n${exitCodeHelp([3, 4, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> snapshots forget 1a2b3c4d --yes']
  static override args = { id: Args.string({ description: 'IDs, or their beginnings', ignoreStdin: true, multiple: true, required: true }) }
  static override flags = { 'dry-run': Flags.boolean({ char: 'n', description: 'say what would be done, change nothing' }) }

  protected async act(): Promise<{ result: ForgetResult; exitCode: number }> {
    const { args, flags } = await this.parse(SnapshotsForget)
    const run = await this.openRun({ needs: ['repository', 'password'], dryRun: flags['dry-run'] })
    const found = await findSnapshots(run, args.id)
    if (!flags['dry-run']) await assertConfirmed(`Forget ${found.map(({ id, stack, host, time }) => `${id.slice(0, 8)} (${stack ?? 'of no stack'}, ${host}, ${time})`).join(', ')}?`, flags.yes)
    return forgetSnapshots(run, found.map(({ id }) => id))
  }

  protected present(result: ForgetResult): string {
    return presentForget(result)
  }
}
