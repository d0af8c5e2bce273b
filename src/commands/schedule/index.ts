import { StackbkError } from '../../errors.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Schedule extends StackbkCommand<never> {
  static override summary = 'have stackbk run by itself'
  static override description = 'Use one of the commands below.\n\nEXIT CODES\n2 always'
  static override examples = ['<%= config.bin %> schedule install', '<%= config.bin %> schedule show']

  protected async act(): Promise<never> {
    await this.parse(Schedule)
    throw new StackbkError({ kind: 'usage', code: 'no-subcommand', message: 'schedule: missing subcommand', detail: 'there are: install, remove, show', fix: 'See: stackbk schedule --help' })
  }

  protected present(): string {
    return ''
  }
}
