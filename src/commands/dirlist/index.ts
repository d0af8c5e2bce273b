import { StackbkError } from '../../errors.js'
import { StackbkCommand } from '../../ui/stackbk-command.js'

export default class Dirlist extends StackbkCommand<never> {
  static override summary = 'which stacks are saved'
  static override description = 'The interactive form is not there yet: use list, enable, disable, add, remove and refresh.\n\nEXIT CODES\n2 always'
  static override examples = ['<%= config.bin %> dirlist list', '<%= config.bin %> dirlist enable nextcloud gitea']

  protected async act(): Promise<never> {
    await this.parse(Dirlist)
    throw new StackbkError({
      kind: 'usage',
      code: 'no-subcommand',
      message: 'dirlist needs to be told what to do',
      detail: 'there are: add, disable, enable, list, refresh, remove',
      fix: 'See the stacks with: stackbk dirlist list',
    })
  }

  protected present(): string {
    return ''
  }
}
