import { StackbkError } from '../../errors.js'
import { applyChoices } from '../../stacks/dirlist-changes.js'
import { changeStacks, dirlistPlace, type DirlistChangeResult, listStacks } from '../../stages/dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { presentDirlistChange } from '../../ui/present-dirlist.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Dirlist extends StackbkCommand<DirlistChangeResult> {
  static override summary = 'which stacks are saved: tick them, in a terminal'
  static override description = `Blank ticks, Ctrl-A ticks all that are shown, Ctrl-N none, typing searches, Enter saves. Only what you change is written; what others change meanwhile stays. Not in a terminal, and with --json, --quiet or --yes, nothing is asked: use list, enable, disable, add, remove and refresh.\n\n${exitCodeHelp([75], { 1: 'the dirlist cannot be written', 2: 'wrong usage or configuration, or nobody to ask', 75: 'another stackbk is changing the dirlist' })}\n129, 130, 143 left without a change`
  static override examples = ['<%= config.bin %> dirlist', '<%= config.bin %> dirlist list', '<%= config.bin %> dirlist enable nextcloud gitea']

  protected async act(): Promise<{ result: DirlistChangeResult; exitCode: number }> {
    await this.parse(Dirlist)
    if (!this.mayAsk()) {
      throw new StackbkError({
        kind: 'usage',
        code: 'no-subcommand',
        message: 'dirlist needs to be told what to do',
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
