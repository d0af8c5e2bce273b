import enquirer from 'enquirer'

/** The part of enquirer's prompt classes that its types leave out. */
interface Prompt {
  run(): Promise<boolean>
  cancel(): Promise<void>
  on(event: 'keypress', listener: (character: string | undefined, key: { readonly name?: string; readonly ctrl?: boolean }) => void): void
}
const { Confirm } = enquirer as unknown as { Confirm: new (options: { message: string; initial: boolean }) => Prompt }

/**
 * A question to answer with yes or no. Ctrl-C, Ctrl-D, Esc and a closed terminal cancel it.
 *
 * enquirer 2.4.1 never settles on Ctrl-D and rejects with an empty string on Ctrl-C; both end here. That on newer Nodes it
 * throws when its readline is closed twice is passed over in `src/host/stray-errors.ts`.
 */
export async function confirm(message: string): Promise<'yes' | 'no' | 'cancelled'> {
  const prompt = new Confirm({ message, initial: false })
  const closed = new Promise<'cancelled'>((resolve) => process.stdin.once('close', () => resolve('cancelled')))
  prompt.on('keypress', (_character, key) => {
    if (key.ctrl === true && key.name === 'd') void prompt.cancel().catch(() => {})
  })
  try {
    return await Promise.race([prompt.run().then((isYes) => (isYes ? 'yes' : 'no')), closed])
  } catch {
    return 'cancelled'
  }
}
