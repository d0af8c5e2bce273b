import { StackbkError } from '../../errors.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Kit extends StackbkCommand<never> {
  static override summary = 'write and check the disaster kit'
  static override description = 'Use one of the commands below.\n\nEXIT CODES\n2 always'
  static override examples = ['<%= config.bin %> kit write /media/stick/stackbk.age', '<%= config.bin %> kit check /media/stick/stackbk.age']

  protected async act(): Promise<never> {
    await this.parse(Kit)
    throw new StackbkError({ kind: 'usage', code: 'no-subcommand', message: 'kit: missing subcommand', detail: 'there are: check, write', fix: 'See: stackbk kit --help' })
  }

  protected present(): string {
    return ''
  }
}
