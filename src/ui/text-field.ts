import type { Frame, Key, PlainQuestion, Screen, Size, Step } from './screen.js'
import { isUnicode, type Paint, paintFor } from './terminal.js'
import { fitted, printable, widthOf } from './text-width.js'

/** How far a text can be completed, and what it could become. */
export interface Completion {
  readonly text: string
  readonly candidates: readonly string[]
}

export interface TextFieldOptions {
  readonly title: string
  /** Shown below it until a key is pressed. */
  readonly note?: string
  /** What is in it at the beginning, to be changed or taken. */
  readonly initial?: string
  /** What Tab does. */
  readonly complete?: (text: string) => Completion
  /** Why it cannot be taken; `null` where it can. */
  readonly objection?: (text: string) => string | null
  /** What the flag is called that gives the same answer. */
  readonly flag?: string
  readonly paint?: Paint
  readonly unicode?: boolean
}

const mostCandidates = 5

/** One line to write. */
export class TextField implements Screen<string> {
  readonly #options: TextFieldOptions
  readonly #paint: Paint
  readonly #pointer: string
  #characters: string[]
  #cursor: number
  #notes: readonly string[] = []

  constructor(options: TextFieldOptions) {
    this.#options = options
    this.#paint = options.paint ?? paintFor()
    this.#pointer = (options.unicode ?? isUnicode()) ? '❯' : '>'
    this.#characters = [...(options.initial ?? '')]
    this.#cursor = this.#characters.length
    this.#notes = options.note === undefined ? [] : [options.note]
  }

  readonly plain: PlainQuestion<string> = {
    question: () => [...this.#notes, `${this.#options.title}${this.#options.initial ? ` (${this.#options.initial})` : ''}:`],
    read: (line) => {
      if (line.trim() !== '') this.#characters = [...line]
      return this.#answer()
    },
  }

  press(key: Key): Step<string> {
    this.#notes = []
    const name = key.ctrl ? `ctrl-${key.name}` : key.name
    switch (name) {
      case 'return':
      case 'enter':
      case 'ctrl-j':
      case 'ctrl-m':
        return this.#answer()
      case 'escape':
        return { kind: 'back' }
      case 'left':
      case 'ctrl-b':
        return this.#moveTo(this.#cursor - 1)
      case 'right':
      case 'ctrl-f':
        return this.#moveTo(this.#cursor + 1)
      case 'home':
      case 'ctrl-a':
        return this.#moveTo(0)
      case 'end':
      case 'ctrl-e':
        return this.#moveTo(this.#characters.length)
      case 'backspace':
        return this.#remove(this.#cursor - 1, this.#cursor)
      case 'delete':
        return this.#remove(this.#cursor, this.#cursor + 1)
      case 'ctrl-u':
        return this.#remove(0, this.#cursor)
      case 'ctrl-k':
        return this.#remove(this.#cursor, this.#characters.length)
      case 'ctrl-w':
        return this.#remove(this.#wordBefore(), this.#cursor)
      case 'tab':
        return this.#complete()
      default:
        return key.ctrl || key.text === '' ? { kind: 'none' } : this.#insert(key.text)
    }
  }

  told(answer: string): string {
    return `${this.#paint.good(this.#pointer)} ${this.#options.title} ${this.#paint.chosen(printable(answer))}`
  }

  frame({ columns, rows }: Size): Frame {
    const { title, complete, flag = '' } = this.#options
    const width = columns - 1
    const room = Math.max(1, width - 3)
    const shown = this.#characters.map(printable)
    let first = 0
    while (widthOf(shown.slice(first, this.#cursor).join('')) >= room) first++
    const text = fitted(shown.slice(first).join(''), room)
    const dot = this.#pointer === '>' ? ', ' : ' · '
    const keys = [...(complete === undefined ? [] : ['tab complete']), 'enter take', 'esc leave', ...(flag === '' ? [] : [`or ${flag}`])].join(dot)
    const notes = this.#notes.slice(0, Math.max(0, rows - 5)).map((note) => this.#paint.warning(fitted(printable(note), width)))
    return {
      rows: [this.#paint.strong(fitted(title, width)), `${this.#paint.chosen(this.#pointer)} ${text}`, ...notes, this.#paint.faint(fitted(keys, width))],
      cursor: { row: 1, column: 2 + widthOf(shown.slice(first, this.#cursor).join('')) },
    }
  }

  #answer(): Step<string> {
    const text = this.#characters.join('').trim()
    const objection = this.#options.objection?.(text) ?? null
    if (objection === null) return { kind: 'answer', value: text }
    this.#notes = [objection]
    return { kind: 'stay' }
  }

  #complete(): Step<string> {
    const { complete } = this.#options
    if (complete === undefined) return { kind: 'none' }
    const before = this.#characters.join('')
    const { text, candidates } = complete(before)
    this.#characters = [...text]
    this.#cursor = this.#characters.length
    if (text === before && candidates.length !== 1) this.#notes = candidates.length === 0 ? ['no completion'] : [...candidates.slice(0, mostCandidates), ...(candidates.length > mostCandidates ? [`and ${candidates.length - mostCandidates} more`] : [])]
    return { kind: 'stay' }
  }

  #insert(text: string): Step<string> {
    const added = [...text]
    this.#characters.splice(this.#cursor, 0, ...added)
    return this.#moveTo(this.#cursor + added.length)
  }

  #remove(from: number, to: number): Step<string> {
    if (from < 0 || from >= to || from >= this.#characters.length) return { kind: 'none' }
    this.#characters.splice(from, to - from)
    return this.#moveTo(from)
  }

  #moveTo(place: number): Step<string> {
    if (place < 0 || place > this.#characters.length) return { kind: 'none' }
    this.#cursor = place
    return { kind: 'stay' }
  }

  #wordBefore(): number {
    let at = this.#cursor
    while (at > 0 && /[\s/]/.test(this.#characters[at - 1] ?? '')) at--
    while (at > 0 && !/[\s/]/.test(this.#characters[at - 1] ?? '')) at--
    return at
  }
}
