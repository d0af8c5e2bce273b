import { StackbkError } from '../../errors.js'
import { applyChoices } from '../../stacks/dirlist-changes.js'
import { changeStacks, dirlistPlace, type DirlistChangeResult, listStacks } from '../../stages/dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentDirlistChange } from '../../ui/present-dirlist.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Dirlist extends StackbkCommand<DirlistChangeResult> {
  static override summary = 'choose which stacks are backed up'
  static override description = `Shows a list in the terminal: Space toggles a stack, Ctrl-A selects all that are shown, Ctrl-N none, typing searches, Enter saves. Only your changes are written. Without a terminal, or with --json, --quiet or --yes, use the commands below.\n\n${exitCodeHelp([75], { 1: 'the dirlist cannot be written', 2: 'invalid usage or configuration, or no terminal to ask in', 75: 'another stackbk is changing the dirlist' })}\n129, 130, 143 left without a change`
  static override examples = ['<%= config.bin %> dirlist', '<%= config.bin %> dirlist list', '<%= config.bin %> dirlist enable nextcloud gitea']

  protected async act(): Promise<{ result: DirlistChangeResult; exitCode: number }> {
    await this.parse(Dirlist)
    if (!this.mayAsk()) {
      throw new StackbkError({
        kind: 'usage',
        code: 'no-subcommand',
        message: 'dirlist: missing subcommand',
        detail: 'there are: add, disable, enable, list, refresh, remove',
        fix: 'See the stacks with: stackbk dirlist list',
      })
    }
    const configuration = this.configuration([])
    const { askForStacks } = await import('../../ui/dirlist-prompt.js')
    const choices = await askForStacks(listStacks(this.facts(), configuration).result.entries, dirlistPlace(configuration))
    return changeStacks(this.facts(), configuration, (place) => applyChoices(place, choices))
  }

  protected present(result: DirlistChangeResult): string {
    return presentDirlistChange(result)
  }
}
