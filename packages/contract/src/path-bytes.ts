/**
 * Names of files are bytes, and need not be UTF-8. Paths in the contract are strings all the same: each byte that is not UTF-8 stands
 * in them as a lone surrogate, U+DC80 for 0x80 to U+DCFF for 0xFF, as in Python's `surrogateescape`. No two names share a string so,
 * and JSON keeps it.
 */
const escapedByte = /(?<![\ud800-\udbff])[\udc80-\udcff]/
const escapedBytes = new RegExp(escapedByte, 'g')
const escapeStart = 0xdc00

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Returns the path that these bytes are. */
export function pathFromBytes(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return decodePart(bytes)
  }
}

/** Returns the bytes of a path. */
export function pathToBytes(path: string): Uint8Array {
  if (!hasRawBytes(path)) return Buffer.from(path)
  const parts: Uint8Array[] = []
  let from = 0
  for (const match of path.matchAll(escapedBytes)) {
    parts.push(Buffer.from(path.slice(from, match.index)), Uint8Array.of(match[0].charCodeAt(0) - escapeStart))
    from = match.index + 1
  }
  return Buffer.concat([...parts, Buffer.from(path.slice(from))])
}

/** Returns whether the path has bytes that are not UTF-8. */
export function hasRawBytes(path: string): boolean {
  return escapedByte.test(path)
}

/** Returns a text for people, in which such a byte is written as `\xFC`. */
export function displayPath(text: string): string {
  return text.replaceAll(escapedBytes, (byte) => `\\x${(byte.charCodeAt(0) - escapeStart).toString(16).toUpperCase()}`)
}

/** Returns the path that a person means who writes bytes that are not UTF-8 as {@link displayPath} shows them. */
export function writtenPath(text: string): string {
  const escaped = text.replaceAll(/\\x([89A-Fa-f][0-9A-Fa-f])/g, (_, digits: string) => String.fromCharCode(escapeStart + Number.parseInt(digits, 16)))
  return pathFromBytes(pathToBytes(escaped))
}

function decodePart(bytes: Uint8Array): string {
  let path = ''
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at)
    path += length === 0 ? String.fromCharCode(escapeStart + bytes[at]!) : strictDecoder.decode(bytes.subarray(at, at + length))
    at += Math.max(1, length)
  }
  return path
}

/** Of the character that begins there; 0 where none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return 1
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  try {
    strictDecoder.decode(bytes.subarray(at, at + length))
    return length
  } catch {
    return 0
  }
}
