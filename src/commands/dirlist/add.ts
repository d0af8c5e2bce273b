import { Args, Flags } from '../../ui/command-line.js'

import { addExternalStack } from '../../stacks/dirlist-changes.js'
import { changeStacks, type DirlistChangeResult } from '../../stages/dirlist.js'
import { presentDirlistChange } from '../../ui/present-dirlist.js'
import { exitCodeHelp } from '../../ui/exit-code-help.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class DirlistAdd extends StackbkCommand<DirlistChangeResult> {
  static override summary = 'add a stack outside the stacks folder, disabled'
  static override description = `A stack has the name of its folder. If another stack has that name already, give --name: the line in the dirlist is then '/path as NAME=false'. A stack that is listed already is renamed.\n\n${exitCodeHelp([75], { 1: 'the dirlist cannot be written', 75: 'another stackbk is changing the dirlist' })}`
  static override examples = ['<%= config.bin %> dirlist add /srv/paperless', '<%= config.bin %> dirlist add /srv/wiki/docker --name wiki']
  static override args = { path: Args.string({ description: 'folder with the compose file', ignoreStdin: true, required: true }) }
  static override flags = { name: Flags.string({ description: 'name of the stack (default: the name of its folder)', helpValue: 'NAME' }) }

  protected async act(): Promise<{ result: DirlistChangeResult; exitCode: number }> {
    const { args, flags } = await this.parse(DirlistAdd)
    return changeStacks(this.facts(), this.configuration([]), (place) => addExternalStack(place, args.path, flags.name))
  }

  protected present(result: DirlistChangeResult): string {
    return presentDirlistChange(result)
  }
}
