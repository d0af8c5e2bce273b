/** A JSON object whose fields are yet to be looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

/** The object that the text is; `null` for anything else. */
export function parseObject(text: string): JsonObject | null {
  if (!text.trimStart().startsWith('{')) return null
  try {
    return asObject(JSON.parse(text))
  } catch {
    return null
  }
}

/** The objects of the list that the text is; `null` for anything else. An empty text is an empty list: restic prints nothing where it found nothing. */
export function parseObjects(text: string): readonly JsonObject[] | null {
  if (text.trim() === '') return []
  try {
    const list: unknown = JSON.parse(text)
    return list === null ? [] : asObjects(list)
  } catch {
    return null
  }
}

export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
}

/** `null` counts as an empty list: that is how Go writes one. */
export function asObjects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(asObject).filter((entry): entry is JsonObject => entry !== null) : []
}

export function asStrings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : []
}

export function asString(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Absent is 0: restic leaves out what is 0. */
export function asNumber(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
