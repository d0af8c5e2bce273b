import { stripVTControlCharacters } from 'node:util'

import type { Frame } from './screen.js'
import { widthOf } from './text-width.js'

const escape = '\u001b['
const nothing: Frame = { rows: [] }

/**
 * Paints one frame over the one before, in one write, so that nothing flickers. `columns`: of the terminal now; it may have
 * been another width when the last frame was painted, and the terminal has then broken the rows anew.
 */
export class FramePainter {
  #last = nothing

  paint(frame: Frame, columns: number): string {
    const { rows, cursor } = frame
    const text = rows.map((row) => `${row}${escape}K`).join('\r\n')
    const back = cursor === undefined ? '' : `\r${up(rows.length - 1 - cursor.row)}${right(cursor.column)}`
    const painted = `${this.#toStart(columns)}${text}${escape}J${back}${escape}${cursor === undefined ? '?25l' : '?25h'}`
    this.#last = frame
    return painted
  }

  /** Nothing is left of the frame; the cursor is seen, at its start. */
  erase(columns: number): string {
    const erased = `${this.#toStart(columns)}${escape}J${escape}?25h`
    this.#last = nothing
    return erased
  }

  #toStart(columns: number): string {
    const { rows, cursor } = this.#last
    const above = rows.slice(0, cursor?.row ?? Math.max(0, rows.length - 1))
    const place = cursor?.column ?? widthOf(stripVTControlCharacters(rows.at(-1) ?? '')) - 1
    return `\r${up(above.reduce((lines, row) => lines + linesOf(row, columns), 0) + Math.max(0, Math.floor(place / columns)))}`
  }
}

function linesOf(row: string, columns: number): number {
  return Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(row)) / columns))
}

function up(lines: number): string {
  return lines > 0 ? `${escape}${lines}A` : ''
}

function right(columns: number): string {
  return columns > 0 ? `${escape}${columns}C` : ''
}
