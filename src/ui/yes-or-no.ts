import type { Frame, Key, Screen, Size, Step } from './screen.js'
import { type Paint, paintFor } from './terminal.js'
import { fitted } from './text-width.js'

/** y or n; Enter alone is no. The question itself stands above, where it may be as long as it needs to be. */
export class YesOrNo implements Screen<boolean> {
  readonly #paint: Paint
  readonly #flag: string

  constructor({ flag, paint = paintFor() }: { readonly flag: string; readonly paint?: Paint }) {
    this.#flag = flag
    this.#paint = paint
  }

  press({ name, ctrl, text }: Key): Step<boolean> {
    if (name === 'escape') return { kind: 'back' }
    if (name === 'return' || name === 'enter' || (ctrl && (name === 'j' || name === 'm'))) return { kind: 'answer', value: false }
    if (!ctrl && /^y$/i.test(text)) return { kind: 'answer', value: true }
    if (!ctrl && /^n$/i.test(text)) return { kind: 'answer', value: false }
    return { kind: 'none' }
  }

  frame({ columns }: Size): Frame {
    const text = fitted(`y or n (n)${this.#flag === '' ? '' : `, or ${this.#flag}`} `, columns - 1)
    return { rows: [this.#paint.faint(text)], cursor: { row: 0, column: Math.min(columns - 1, text.length) } }
  }

  told(answer: boolean): string {
    return answer ? 'yes' : 'no'
  }
}
