import { Args, Flags } from '../../ui/command-line.js'

import { StackbkError } from '../../errors.js'
import type { Run } from '../../stages/run.js'
import { findSnapshots, forgetSnapshots, type ForgetResult, listSnapshots } from '../../stages/snapshots.js'
import { presentForget } from '../../ui/present-snapshots.js'
import { lockWait } from '../../ui/flag-values.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class SnapshotsForget extends StackbkCommand<ForgetResult> {
  static override summary = 'forget snapshots by their IDs'
  static override description = `In a terminal without an ID, you choose them from a list. The next backup frees their space, or --prune does it at once. The cloud copy follows at the next sync.\n\n${exitCodeHelp([3, 4, 10, 11, 12, 75, 'signals'])}`
  static override examples = ['<%= config.bin %> snapshots forget', '<%= config.bin %> snapshots forget 1a2b3c4d --yes']
  static override args = { id: Args.string({ description: 'IDs or ID prefixes', ignoreStdin: true, multiple: true }) }
  static override flags = {
    'dry-run': Flags.boolean({ char: 'n', description: 'show what would be done, change nothing' }),
    prune: Flags.boolean({ description: 'free their space at once' }),
    wait: lockWait(),
  }

  protected async act(): Promise<{ result: ForgetResult; exitCode: number }> {
    const { args, flags } = await this.parse(SnapshotsForget)
    const given = args.id ?? []
    if (given.length === 0 && !this.mayAsk()) throw new StackbkError({ kind: 'usage', code: 'no-snapshot-named', message: 'no snapshot is named', detail: 'they are forgotten by their IDs', fix: 'See: stackbk snapshots' })
    const run = await this.openRun({ needs: ['repository', 'password'], dryRun: flags['dry-run'], wait: flags.wait })
    const { ids, prune } = given.length > 0 ? { ids: given, prune: flags.prune } : await this.#chosen(run, flags.prune)
    const found = await findSnapshots(run, ids)
    if (!flags['dry-run']) await this.confirmed(`Forget ${found.map(({ id, stack, host, time }) => `${id.slice(0, 8)} (${stack ?? 'of no stack'}, ${host}, ${time})`).join(', ')}?`)
    return forgetSnapshots(run, found.map(({ id }) => id), { prune })
  }

  async #chosen(run: Run, prune: boolean): Promise<{ ids: readonly string[]; prune: boolean }> {
    const { result } = await listSnapshots(run, undefined)
    const { askForSnapshots } = await import('../../ui/forget-prompt.js')
    return askForSnapshots(result.snapshots, prune)
  }

  protected present(result: ForgetResult): string {
    return presentForget(result)
  }
}
