import { StackbkError } from '../errors.js'
import { type Askable, mayAsk } from './terminal.js'

/** Asks, unless `--yes` has answered. Throws `usage` where nobody can be asked, `interrupted` for a cancelled question, `cancelled` for a no. */
export async function assertConfirmed(question: string, askable: Askable): Promise<void> {
  if (askable.yes === true) return
  if (!mayAsk(askable)) {
    throw new StackbkError({ kind: 'usage', code: 'not-confirmed', message: 'this needs a confirmation, and there is no terminal to ask in', detail: question, fix: 'Add --yes' })
  }
  const { confirm } = await import('./prompt.js')
  const answer = await confirm(question)
  if (answer === 'yes') return
  throw new StackbkError({ kind: answer === 'cancelled' ? 'interrupted' : 'cancelled', code: 'not-confirmed', message: 'nothing was changed' })
}
