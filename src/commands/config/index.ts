import { StackbkError } from '../../errors.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Config extends StackbkCommand<never> {
  static override summary = 'write, check and show the configuration'
  static override description = 'Use one of the commands below.\n\nEXIT CODES\n2 always'
  static override examples = ['<%= config.bin %> config init --repository /srv/backup/restic --generate-password', '<%= config.bin %> config check']

  protected async act(): Promise<never> {
    await this.parse(Config)
    throw new StackbkError({
      kind: 'usage',
      code: 'no-subcommand',
      message: 'config: missing subcommand',
      detail: 'there are: check, import, init, schema, show',
      fix: 'See: stackbk config --help',
    })
  }

  protected present(): string {
    return ''
  }
}
