import enquirer from 'enquirer'

/** The part of enquirer's prompt classes that its types leave out. */
interface Prompt<T> {
  run(): Promise<T>
  cancel(): Promise<void>
  on(event: 'keypress', listener: (character: string | undefined, key: { readonly name?: string; readonly ctrl?: boolean }) => void): void
}
const { Confirm, Password } = enquirer as unknown as {
  Confirm: new (options: { message: string; initial: boolean }) => Prompt<boolean>
  Password: new (options: { message: string }) => Prompt<string>
}

/**
 * A question to answer with yes or no. Ctrl-C, Ctrl-D, Esc and a closed terminal cancel it.
 *
 * enquirer 2.4.1 never settles on Ctrl-D and rejects with an empty string on Ctrl-C; both end here. That on newer Nodes it
 * throws when its readline is closed twice is passed over in `src/host/stray-errors.ts`.
 */
export async function confirm(message: string): Promise<'yes' | 'no' | 'cancelled'> {
  const answer = await answerTo(new Confirm({ message, initial: false }))
  return answer === null ? 'cancelled' : answer ? 'yes' : 'no'
}

/** A question whose answer is not shown. `null`: cancelled, in the same ways as {@link confirm}. */
export async function askSecret(message: string): Promise<string | null> {
  return await answerTo(new Password({ message }))
}

async function answerTo<T>(prompt: Prompt<T>): Promise<T | null> {
  const closed = new Promise<null>((resolve) => process.stdin.once('close', () => resolve(null)))
  prompt.on('keypress', (_character, key) => {
    if (key.ctrl === true && key.name === 'd') void prompt.cancel().catch(() => {})
  })
  try {
    return await Promise.race([prompt.run(), closed])
  } catch {
    return null
  }
}
