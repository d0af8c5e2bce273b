import { type DirlistResult, listStacks } from '../../stages/dirlist.js'
import { presentDirlist } from '../../ui/present-dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class DirlistList extends StackbkCommand<DirlistResult> {
  static override summary = 'list all known stacks, enabled or disabled'
  static override description = `Changes nothing. A stack that is not in the dirlist is disabled.\n\n${exitCodeHelp([], { 2: 'invalid usage or configuration' })}`
  static override examples = ['<%= config.bin %> dirlist list', '<%= config.bin %> dirlist list --json']

  protected async act(): Promise<{ result: DirlistResult; exitCode: number }> {
    await this.parse(DirlistList)
    return listStacks(this.facts(), this.configuration([]))
  }

  protected present(result: DirlistResult): string {
    return presentDirlist(result)
  }
}
