import type { Frame, Key, Screen, Size, Step } from './screen.js'
import { type Paint, paintFor } from './terminal.js'
import { fitted } from './text-width.js'

/** One line to write that nobody sees: neither it nor how long it is. */
export class SecretField implements Screen<string> {
  readonly #title: string
  readonly #paint: Paint
  #text = ''

  constructor({ title, paint = paintFor() }: { readonly title: string; readonly paint?: Paint }) {
    this.#title = title
    this.#paint = paint
  }

  press({ name, ctrl, text }: Key): Step<string> {
    if (name === 'escape') return { kind: 'back' }
    if (name === 'return' || name === 'enter' || (ctrl && (name === 'j' || name === 'm'))) return { kind: 'answer', value: this.#text }
    if (name === 'backspace') this.#text = [...this.#text].slice(0, -1).join('')
    else if (ctrl && name === 'u') this.#text = ''
    else if (ctrl || text === '') return { kind: 'none' }
    else this.#text += text
    return { kind: 'stay' }
  }

  frame({ columns }: Size): Frame {
    const title = fitted(`${this.#title} (not shown):`, columns - 2)
    return { rows: [`${this.#paint.strong(title)} `], cursor: { row: 0, column: title.length + 1 } }
  }

  told(): string {
    return `${this.#title}: given`
  }
}
