/** What a user types, as far as a screen cares. */
export interface Key {
  /** `up`, `return`, `a`, ...; empty where it has none. */
  readonly name: string
  readonly ctrl: boolean
  /** What it writes; empty for one that writes nothing. */
  readonly text: string
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** One picture of a screen. */
export interface Frame {
  /** No row is as wide as the terminal, and there are fewer of them than it has. */
  readonly rows: readonly string[]
  /** Where the terminal's own cursor belongs; absent: it is not seen. */
  readonly cursor?: { readonly row: number; readonly column: number }
}

/** What a key came to. `answer`: that was the last one. `back`: Esc. `none`: a key that does nothing here. */
export type Step<T> = { readonly kind: 'stay' | 'none' } | { readonly kind: 'back' } | { readonly kind: 'answer'; readonly value: T }

/**
 * Something that asks: what it shows and what keys do to it. It knows no terminal; `prompt.ts` shows it.
 */
export interface Screen<T> {
  frame(size: Size): Frame
  press(key: Key): Step<T>
  /** What stays on the terminal of an answered question: one line, or nothing. */
  told(answer: T): string
  /** How it asks where the cursor cannot be moved; absent: its first frame says it all. */
  readonly plain?: PlainQuestion<T>
}

/** A question by whole lines, for a terminal that can do no more. */
export interface PlainQuestion<T> {
  /** What is printed before each line that is read. */
  question(): readonly string[]
  read(line: string): Step<T>
}
