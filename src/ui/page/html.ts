/** Text that is HTML already, and safe. Only {@link html} and {@link trusted} make it. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Part = Html | string | number | null | false | readonly Part[]

/** HTML with whatever is put into it escaped, be it in a text or in a quoted attribute. `null` and `false` are nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, index) => `${text}${index < parts.length ? written(parts[index] ?? null) : ''}`).join(''))
}

/** HTML of ours, or of a library that escapes by itself. */
export function trusted(text: string): Html {
  return new Html(text)
}

function written(part: Part): string {
  if (part === null || part === false) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(written).join('')
  // Control characters, and what moves text about (U+202E and its like): a name must not look like another one.
  return String(part).replaceAll(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, (sign) => (sign === '\n' || sign === '\t' ? sign : '\ufffd')).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}
