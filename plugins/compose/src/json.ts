/** A JSON object whose shape is another program's. */
export type Json = Readonly<Record<string, unknown>>

/** The object, or an empty one where something else stands. */
export function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

/** The objects of a list; none where no list stands. */
export function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(record) : []
}

/** The object's members that are objects themselves, by key. */
export function children(value: unknown): [string, Json][] {
  return Object.entries(record(value)).map(([key, child]) => [key, record(child)])
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** The members that are strings. */
export function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(record(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

/** A string alone, or the strings of a list. */
export function textList(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

/** Compose doubles every dollar sign in the models that it prints, so that it can read them again; a path has them as they are. */
export function withPlainDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$$', '$')
  if (Array.isArray(value)) return value.map(withPlainDollars)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withPlainDollars(child)]))
  return value
}

/**
 * Returns the value as JSON that every reader of YAML takes, as what Compose reads must be: YAML allows some characters in strings
 * only where they are escaped (YAML 1.2, 5.1), among them a byte order mark, which some editors leave in environment files.
 */
export function jsonForYaml(value: unknown): string {
  return jsonWithEscapes(value, /[\u007f-\u009f\ufeff\ufffe\uffff]/g)
}

/** Returns the value as Go writes it: these characters are escaped, so that the JSON can stand in HTML and JavaScript. */
export function jsonAsGoWrites(value: unknown): string {
  return jsonWithEscapes(value, /[<>&\u2028\u2029]/g)
}

function jsonWithEscapes(value: unknown, characters: RegExp): string {
  return JSON.stringify(value).replace(characters, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
