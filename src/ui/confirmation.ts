import { StackbkError } from '../errors.js'

/** Asks, unless `--yes` has answered. Throws `usage` where nobody can be asked, `cancelled` for a no. */
export async function assertConfirmed(question: string, isAnswered: boolean): Promise<void> {
  if (isAnswered) return
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new StackbkError({ kind: 'usage', code: 'not-confirmed', message: 'this wants a confirmation, and there is no terminal to ask in', detail: question, fix: 'Add --yes' })
  }
  const { confirm } = await import('./prompt.js')
  const answer = await confirm(question)
  if (answer === 'yes') return
  if (answer === 'cancelled') throw new StackbkError({ kind: 'interrupted', code: 'not-confirmed', message: 'nothing was changed' })
  throw new StackbkError({ kind: 'cancelled', code: 'not-confirmed', message: 'nothing was changed' })
}
