import { Args } from '../ui/command-line.js'

import { completionScript, type Shell, shells } from '../ui/completion-script.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { concluded, type ResultHeader } from '../stages/result.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export type CompletionResult = ResultHeader & { readonly shell: Shell; readonly script: string }

export default class Completion extends StackbkCommand<CompletionResult> {
  static override summary = 'print the completion script for a shell'
  static override description = `Completes commands, flags, stacks and snapshots. Stacks come from the dirlist and the stacks folder, snapshots from the last time the repository was listed: no tool is started and no password is needed.\n\n${exitCodeHelp([], { 0: 'printed', 2: 'invalid usage' })}`
  static override examples = ['<%= config.bin %> completion bash > /usr/share/bash-completion/completions/stackbk', '<%= config.bin %> completion zsh > /usr/local/share/zsh/site-functions/_stackbk']
  static override args = { shell: Args.string({ description: 'shell to complete for', ignoreStdin: true, options: [...shells], required: true }) }

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
