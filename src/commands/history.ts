import { hostname } from 'node:os'

import { Flags } from '../ui/command-line.js'

import { stateFolder } from '../host/state-folder.js'
import { history, type HistoryResult } from '../stages/history.js'
import { moment } from '../ui/flag-values.js'
import { presentHistory } from '../ui/present-history.js'
import { exitCodeHelp } from '../ui/exit-code-help.js'
import { StackbkCommand } from '../ui/stackbk-command.js'

export default class History extends StackbkCommand<HistoryResult> {
  static override summary = 'list past runs, newest first'
  static override description = exitCodeHelp([], { 1: 'the report could not be written', 2: 'invalid usage' })
  static override examples = ['<%= config.bin %> history', '<%= config.bin %> history --stack nextcloud --since 7d --json', '<%= config.bin %> history --limit 100 --html runs.html']
  static override flags = {
    html: Flags.string({ description: 'also write an HTML report with charts', helpValue: 'FILE' }),
    limit: Flags.integer({ default: 20, description: 'show at most this many', min: 1 }),
    since: moment({ description: 'only runs started since then' }),
    stack: Flags.string({ description: 'only runs that concern this stack', helpValue: 'NAME' }),
  }

  #stack: string | undefined

  protected async act(): Promise<{ result: HistoryResult; exitCode: number }> {
    const { flags } = await this.parse(History)
    this.#stack = flags.stack
    const outcome = history(this.facts(), stateFolder(process.env).history, flags)
    if (flags.html === undefined) return outcome
    const { writeHistoryPage } = await import('../ui/page/pages.js')
    await writeHistoryPage(flags.html, outcome.result, { stack: flags.stack, host: hostname() })
    return outcome
  }

  protected present(result: HistoryResult): string {
    return presentHistory(result, this.#stack)
  }
}
