/**
 * What went wrong, in a form the core can act on without knowing the tool. The core alone turns a kind into an exit code.
 *
 * - `usage`, `configuration`: the user's to mend, before anything is touched
 * - `tool-missing`, `tool-too-old`, `tool-not-answering`: the outside's
 * - `repository-missing`, `repository-locked`, `wrong-password`: the repository does not open
 * - `remote-unreachable`, `transfer-failed`: the cloud; see also `transient`
 * - `not-found`: the thing asked for (a folder, a file, a snapshot) is not there
 * - `corrupt`: content is not what it should be
 * - `guard`: a safety rule refused
 * - `unsupported`: this provider cannot do that
 * - `timed-out`, `stalled`, `cancelled`: ended by a limit, by silence, by the caller
 * - `failed`: anything else
 */
export type FailureKind =
  | 'usage'
  | 'configuration'
  | 'tool-missing'
  | 'tool-too-old'
  | 'tool-not-answering'
  | 'repository-missing'
  | 'repository-locked'
  | 'wrong-password'
  | 'remote-unreachable'
  | 'transfer-failed'
  | 'not-found'
  | 'corrupt'
  | 'guard'
  | 'unsupported'
  | 'timed-out'
  | 'stalled'
  | 'cancelled'
  | 'failed'

/** A failure as plain data: it crosses between plugins that may hold other copies of any library. */
export interface Failure {
  readonly kind: FailureKind
  /** One sentence: what failed, with the name of the thing. No full stop at the end. */
  readonly message: string
  /** The tool's own last words, already redacted; empty when no tool spoke. */
  readonly toolOutput?: string
  /** What the user can do next, as a sentence in the imperative. */
  readonly fix?: string
  /** True where trying again later may help without anybody mending anything (a dropped connection, a busy server). */
  readonly transient?: boolean
}

/** Either a value or a failure. Providers answer; they do not throw for what can be foreseen. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure }

/** A good answer. */
export function answered<T>(value: T): Answer<T> {
  return { ok: true, value }
}

/** A failed answer. */
export function failed(failure: Failure): { readonly ok: false; readonly failure: Failure } {
  return { ok: false, failure }
}

/** A good answer that has nothing to say. */
export const done: Answer<void> = { ok: true, value: undefined }

/**
 * Returns the lines of a tool's words that say something which the message does not say already. Case, spaces and full stops do not
 * matter. Empty if the words only repeat the message.
 */
export function newWords(message: string, words: string): string {
  const said = [essenceOf(message)]
  const lines = words.split('\n').map((line) => line.trim()).filter((line) => {
    const essence = essenceOf(line)
    if (essence === '' || said.some((one) => one.includes(essence))) return false
    said.push(essence)
    return true
  })
  return lines.join('\n')
}

/** Returns a failure in one line: its message, and the tool's last line if that says something new. */
export function failureInOneLine({ message, toolOutput = '' }: Pick<Failure, 'message' | 'toolOutput'>): string {
  const reason = newWords(message, toolOutput).split('\n').at(-1) ?? ''
  return reason === '' ? message : `${message}: ${reason}`
}

function essenceOf(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, ' ').trim().replace(/[.!:]+$/, '')
}
