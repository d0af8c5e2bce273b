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

/** On one line and without anything that a terminal takes for an order: a folder's name may hold whatever it likes. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}

function columnsOf(character: string): number {
  return takesNone.test(character) ? 0 : takesTwo.test(character) ? 2 : 1
}
