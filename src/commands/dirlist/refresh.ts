import { Flags } from '../../ui/command-line.js'

import { refreshDirlist } from '../../stacks/dirlist-changes.js'
import { changeStacks, type DirlistChangeResult } from '../../stages/dirlist.js'
import { presentDirlistChange } from '../../ui/present-dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class DirlistRefresh extends StackbkCommand<DirlistChangeResult> {
  static override summary = 'add newly found stacks, disabled'
  static override description = `Stacks that are gone stay in the dirlist, because their disk may be unmounted; see --prune.\n\n${exitCodeHelp([7, 75], { 1: 'the dirlist cannot be written', 7: '--prune refused: the stacks folder holds no stack at all; nothing was removed', 75: 'another stackbk is changing the dirlist' })}`
  static override examples = ['<%= config.bin %> dirlist refresh', '<%= config.bin %> dirlist refresh --prune']
  static override flags = { prune: Flags.boolean({ description: 'remove entries whose stack no longer exists' }) }

  protected async act(): Promise<{ result: DirlistChangeResult; exitCode: number }> {
    const { flags } = await this.parse(DirlistRefresh)
    return changeStacks(this.facts(), this.configuration([]), (place) => refreshDirlist(place, { prune: flags.prune }))
  }

  protected present(result: DirlistChangeResult): string {
    return presentDirlistChange(result)
  }
}
