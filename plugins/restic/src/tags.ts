/**
 * restic splits tags at commas and trims them. So a comma, blanks at either end and whatever an argument or a listing cannot
 * carry are written percent-style (UTF-8 bytes), and so is `%` itself.
 */
export function encodeTag(tag: string): string {
  // An empty tag would be no tag at all; `%` alone is nothing that encoding gives otherwise.
  if (tag === '') return '%'
  return tag.replaceAll(/[%,\p{Cc}]|^\s+|\s+$/gu, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

/** The tag as it was given. One that we did not encode (made by hand, with a bare `%`) stays as it is. */
export function decodeTag(encoded: string): string {
  if (encoded === '%') return ''
  try {
    const tag = decodeURIComponent(encoded)
    return encodeTag(tag) === encoded ? tag : encoded
  } catch {
    return encoded
  }
}

/** A filter for snapshots that carry all of these, as `--tag` takes it. */
export function tagFilter(tags: readonly string[]): string {
  return tags.map(encodeTag).join(',')
}
