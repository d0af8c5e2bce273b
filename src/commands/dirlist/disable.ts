import { Args } from '../../ui/command-line.js'

import { switchStacks } from '../../stacks/dirlist-changes.js'
import { changeStacks, type DirlistChangeResult } from '../../stages/dirlist.js'
import { presentDirlistChange } from '../../ui/present-dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class DirlistDisable extends StackbkCommand<DirlistChangeResult> {
  static override summary = 'disable stacks: no longer back them up'
  static override description = `Names a stack by its name, or by its path if two have the same name. If one of them is unknown, nothing is changed.\n\n${exitCodeHelp([75], { 1: 'the dirlist cannot be written', 75: 'another stackbk is changing the dirlist' })}`
  static override examples = ['<%= config.bin %> dirlist disable nextcloud', '<%= config.bin %> dirlist disable nextcloud "my stack"']
  static override strict = false
  static override args = { name: Args.string({ description: 'stacks to disable', ignoreStdin: true, required: true }) }

  protected async act(): Promise<{ result: DirlistChangeResult; exitCode: number }> {
    const { argv } = await this.parse(DirlistDisable)
    return changeStacks(this.facts(), this.configuration([]), (place) => switchStacks(place, argv as string[], false))
  }

  protected present(result: DirlistChangeResult): string {
    return presentDirlistChange(result)
  }
}
