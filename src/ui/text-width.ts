const takesNone = /\p{Mark}|\u200b|\u200c|\u200d/u
const takesTwo = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u

/** How many columns of a terminal a text without colours takes. Small, since every table needs it and a library takes its time to load. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

/** Cut to a width, so that a row never wraps and the list does not jump. */
export function fitted(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  let left = columns - 1
  for (const character of text) {
    left -= columnsOf(character)
    if (left < 0) break
    kept += character
  }
  return columns < 1 ? '' : `${kept}…`
}

/** Cut, or filled with blanks, to just this width. */
export function padded(text: string, columns: number): string {
  const cut = fitted(text, columns)
  return cut + ' '.repeat(Math.max(0, columns - widthOf(cut)))
}

/** Under its last column a row is continued only if at least this many columns are left there. */
const leastColumns = 24

/**
 * Breaks lines that are wider than this at blanks, never inside a word. A broken line is continued under its last column, if there
 * is room for it, else two columns further in than it began. A word that is wider than all is left to the terminal.
 */
export function wrapped(text: string, columns: number): string {
  return text.split('\n').flatMap((line) => (widthOf(line) <= columns ? [line] : wrappedLine(line, columns))).join('\n')
}

function wrappedLine(line: string, columns: number): readonly string[] {
  const margin = ' '.repeat((/^ */.exec(line)?.[0].length ?? 0) + 2)
  const lastColumn = widthOf(/^.*\S {2,}(?=\S)/.exec(line)?.[0] ?? '')
  const under = ' '.repeat(lastColumn > 0 && lastColumn <= columns - leastColumns ? lastColumn : margin.length)
  const rows = ['']
  for (const word of line.match(/\s*\S+/g) ?? []) {
    const row = rows.at(-1) ?? ''
    if (row === '' || widthOf(row + word) <= columns) rows[rows.length - 1] = row + word
    else rows.push([under, margin].map((indent) => indent + word.trim()).find((begun) => widthOf(begun) <= columns) ?? margin + word.trim())
  }
  return rows
}

/** On one line and without anything that a terminal takes for an order: a folder's name may hold whatever it likes. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}

function columnsOf(character: string): number {
  return takesNone.test(character) ? 0 : takesTwo.test(character) ? 2 : 1
}
