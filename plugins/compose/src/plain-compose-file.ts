/** The top-level sections whose unused entries Compose drops from the model that it resolves. */
export const droppedSections = ['volumes', 'secrets', 'configs'] as const

/** What a compose file says without having to be resolved. */
export interface PlainComposeFile {
  /** What its services name as `env_file` and `label_file`, as it is written. */
  readonly namedFiles: readonly string[]
  readonly keys: Readonly<Record<(typeof droppedSections)[number], readonly string[]>>
}

const namingKey = /^(\s*)(?:env_file|label_file)\s*:\s*(.*)$/

/** One scalar on a line of its own: no variable, no anchor, no flow style, no tag. */
const scalar = /^(["']?)([^\s"'#$[\]{}&*!|>,?%@`]+)\1\s*(?:#.*)?$/

/**
 * Reads what most compose files are made of: one document in block style whose environment files are plain paths. Returns `null`
 * for any other: one that includes or extends others, has several documents, or is written in a way that only a YAML reader
 * understands. Compose is asked about those.
 */
export function readPlainly(content: string): PlainComposeFile | null {
  const lines = content.replace(/^\uFEFF/, '').split(/\r?\n/)
  const start = lines.findIndex((line) => !isEmpty(line))
  if (start < 0) return null
  if (/^---\s*(?:#.*)?$/.test(lines[start]!)) lines[start] = ''
  const namedFiles: string[] = []
  const keys: Record<string, string[]> = { volumes: [], secrets: [], configs: [] }
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]!
    if (isEmpty(line)) continue
    if (/^\t/.test(line) || /(?:^|[\s{,"'])(?:include|extends)["']?\s*:/.test(line)) return null
    const section = /^([\w.-]+)\s*:(?:\s+(.*))?$/.exec(line)
    if (/^\S/.test(line) && section === null) return null
    if (section !== null && section[1]! in keys) {
      const found = isEmpty(section[2] ?? '') ? keysBelow(lines, at) : keysInLine(section[2]!)
      if (found === null) return null
      keys[section[1]!] = found
    }
    if (!/(?:env_file|label_file)["']?\s*:/.test(line)) continue
    const naming = namingKey.exec(line)
    const files = naming === null ? null : filesNamedAt(lines, at, { indent: naming[1]!.length, inline: naming[2]! })
    if (files === null) return null
    namedFiles.push(...files)
  }
  return { namedFiles, keys: { volumes: keys['volumes']!, secrets: keys['secrets']!, configs: keys['configs']! } }
}

function isEmpty(line: string): boolean {
  return /^\s*(?:#.*)?$/.test(line)
}

/** Returns the keys of the block below a top-level key; `null` where something else than plain keys stands there. */
function keysBelow(lines: readonly string[], at: number): string[] | null {
  const keys: string[] = []
  let indent = 0
  for (const line of lines.slice(at + 1)) {
    if (isEmpty(line)) continue
    const depth = line.search(/\S/)
    if (depth === 0) break
    if (indent === 0) indent = depth
    if (depth > indent) continue
    const key = depth === indent ? /^\s+(["']?)([\w.-]+)\1\s*:(?:\s|$)/.exec(line) : null
    if (key === null) return null
    keys.push(key[2]!)
  }
  return keys
}

/** Returns the keys of a mapping that stands on one line, such as `{data: {}, cache: {driver: local}}`; `null` for anything but plain words in it. */
function keysInLine(inline: string): string[] | null {
  const mapping = /^\{([\w.\-/:,{}\s]*)\}\s*(?:#.*)?$/.exec(inline)
  if (mapping === null) return null
  let outer = mapping[1]!
  for (let before = ''; before !== outer; ) {
    before = outer
    outer = outer.replace(/\{[^{}]*\}/g, '')
  }
  const keys = outer.split(',').filter((entry) => entry.trim() !== '').map((entry) => /^\s*([\w.-]+)\s*:(?:\s+[\w./-]*)?\s*$/.exec(entry)?.[1])
  return keys.every((key): key is string => key !== undefined) ? keys : null
}

function filesNamedAt(lines: readonly string[], at: number, { indent, inline }: { readonly indent: number; readonly inline: string }): string[] | null {
  if (!isEmpty(inline)) {
    const listed = /^\[([^[\]]*)\]\s*(?:#.*)?$/.exec(inline)
    return listed === null ? scalarsOf([inline]) : scalarsOf(listed[1]!.split(',').map((entry) => entry.trim()).filter((entry) => entry !== ''))
  }
  const entries: string[] = []
  for (const line of lines.slice(at + 1)) {
    if (isEmpty(line)) continue
    const depth = line.search(/\S/)
    const entry = depth >= indent ? /^\s*-\s+(.*)$/.exec(line) : null
    if (entry !== null) entries.push(entry[1]!)
    else if (depth <= indent) break
    else return null
  }
  return scalarsOf(entries)
}

function scalarsOf(written: readonly string[]): string[] | null {
  const found = written.map((entry) => scalar.exec(entry)?.[2])
  // `path: x` is a mapping, not a path.
  return found.every((path): path is string => path !== undefined && !path.endsWith(':')) ? found : null
}
