/** A text as a shell takes it for one word. For commands that are shown to people, such as those of `byHand`: stackbk itself uses no shell. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
