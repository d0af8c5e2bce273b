import { Args } from '../../ui/command-line.js'

import { removeExternalStack } from '../../stacks/dirlist-changes.js'
import { changeStacks, type DirlistChangeResult } from '../../stages/dirlist.js'
import { presentDirlistChange } from '../../ui/present-dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class DirlistRemove extends StackbkCommand<DirlistChangeResult> {
  static override summary = 'remove a stack outside the stacks folder from the list'
  static override description = `The files of the stack are kept.\n\n${exitCodeHelp([75], { 1: 'the dirlist cannot be written', 75: 'another stackbk is changing the dirlist' })}`
  static override examples = ['<%= config.bin %> dirlist remove /srv/paperless']
  static override args = { path: Args.string({ description: 'path or name of the stack', ignoreStdin: true, required: true }) }

  protected async act(): Promise<{ result: DirlistChangeResult; exitCode: number }> {
    const { args } = await this.parse(DirlistRemove)
    return changeStacks(this.facts(), this.configuration([]), (place) => removeExternalStack(place, args.path))
  }

  protected present(result: DirlistChangeResult): string {
    return presentDirlistChange(result)
  }
}
