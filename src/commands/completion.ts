import { Args } from '../ui/command-line.js'

import { completionScript, type Shell, shells } from '../ui/completion-script.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { concluded, type ResultHeader } from '../stages/result.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export type CompletionResult = ResultHeader & { readonly shell: Shell; readonly script: string }

export default class Completion extends StackbkCommand<CompletionResult> {
  static override summary = 'print the script with which a shell completes commands, flags, stacks and snapshots'
  static override description = `Stacks come from the dirlist and the stacks folder, snapshots from what the last look at the repository found: no tool is asked, and no password.\n\n${exitCodeHelp([], { 0: 'printed', 2: 'wrong usage' })}`
  static override examples = ['<%= config.bin %> completion bash > /usr/share/bash-completion/completions/stackbk', '<%= config.bin %> completion zsh > /usr/local/share/zsh/site-functions/_stackbk']
  static override args = { shell: Args.string({ description: 'for which one', ignoreStdin: true, options: [...shells], required: true }) }

  protected override isVerbatim = true

  protected async act(): Promise<{ result: CompletionResult; exitCode: number }> {
    const { args } = await this.parse(Completion)
    const shell = args.shell as Shell
    return concluded(this.facts(), { shell, script: completionScript(shell) }, { status: 'ok', problems: [] })
  }

  protected present({ script }: CompletionResult): string {
    return script.trimEnd()
  }
}
