import { readFileSync } from 'node:fs'

import { answered, failed, type Answer } from '@stackbk/contract'

/** One act in the record of snapshots. Times are ISO 8601. */
export type RecordLine =
  /** `found`: they were in the repository, and no run of this state folder has made them. */
  | { readonly is: 'seen'; readonly at: string; readonly ids: readonly string[]; readonly found?: true }
  /** Another host, or another machine of this hostname, made them. */
  | { readonly is: 'owned'; readonly at: string; readonly ids: readonly string[]; readonly owner: string }
  | { readonly is: 'forgetting'; readonly at: string; readonly candidates: readonly string[]; readonly staying?: readonly string[] }
  /** `by`: the host that says so; absent: stackbk on this one. */
  | { readonly is: 'forgot'; readonly at: string; readonly ids: readonly string[]; readonly by?: string }
  | { readonly is: 'published'; readonly at: string }

/**
 * Reads a record of snapshots. One that does not exist is empty. A line that a power cut or a full disk has cut short is left
 * out: its act had not begun, or the next look at the repository makes up for it. Anything else that is no line of a record
 * makes the whole record unreadable.
 */
export function readRecordLines(path: string): Answer<readonly RecordLine[]> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return answered([])
    return failed({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
  const lines: RecordLine[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const parsed = parsedLine(line)
    if (parsed === 'damaged') return failed({ kind: 'failed', message: `line ${index + 1} is damaged` })
    if (parsed !== null) lines.push(parsed)
  }
  return lines.length === 0 && text.includes('\0') ? failed({ kind: 'failed', message: 'it holds nothing but zeros' }) : answered(lines)
}

/** Every line begins like this. */
const beginning = '{"is":"'

/** A line of a later version is `null` too. */
function parsedLine(text: string): RecordLine | null | 'damaged' {
  // A power cut can leave zeros where a line was to be.
  const line = text.replaceAll('\0', '')
  if (line === '') return null
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return isCutShort(line) ? null : 'damaged'
  }
  const fields = value as Readonly<Record<string, unknown>> | null
  switch (fields?.['is']) {
    case 'seen':
    case 'forgot':
      return isList(fields['ids']) ? (value as RecordLine) : 'damaged'
    case 'owned':
      return isList(fields['ids']) && typeof fields['owner'] === 'string' ? (value as RecordLine) : 'damaged'
    case 'forgetting':
      return isList(fields['candidates']) && (fields['staying'] === undefined || isList(fields['staying'])) ? (value as RecordLine) : 'damaged'
    case 'published':
      return value as RecordLine
    default:
      return typeof fields?.['is'] === 'string' ? null : 'damaged'
  }
}

function isCutShort(line: string): boolean {
  return line.length < beginning.length ? beginning.startsWith(line) : line.startsWith(beginning) && !line.endsWith('}')
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
