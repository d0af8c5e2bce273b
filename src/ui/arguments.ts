/** What the scanner has to know of a flag. oclif's own declarations fit. */
export interface FlagShape {
  readonly char?: string | undefined
  readonly type: 'boolean' | 'option'
}

/** Flags that every command takes. */
export const globalFlagShapes: Readonly<Record<string, FlagShape>> = {
  config: { char: 'c', type: 'option' },
  json: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  quiet: { char: 'q', type: 'boolean' },
  verbose: { char: 'v', type: 'boolean' },
  yes: { char: 'y', type: 'boolean' },
}

/** Commands that are oclif's own: they know none of our global flags, but for what is named here. */
const foreign: Readonly<Record<string, readonly string[]>> = { help: [], plugins: ['--json'] }

/** What `--wait` without a time stands for: as long as the configuration says, else an hour. */
export const usualWait = 'usual'

export interface GlobalFlags {
  readonly config: string | undefined
  readonly json: boolean
  readonly noColor: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly yes: boolean
}

/**
 * The global flags among a command's arguments, as oclif reads them: in any spelling, the last one counts, nothing behind
 * `--`. For what must be known even where the rest does not parse. `shapes`: of all flags that the command takes, so that a
 * value is not taken for a flag.
 */
export function readGlobalFlags(argv: readonly string[], shapes: Readonly<Record<string, FlagShape>> = {}): GlobalFlags {
  const all = { ...shapes, ...globalFlagShapes }
  const given = new Set<string>()
  let config: string | undefined
  for (let index = 0; index < argv.length && argv[index] !== '--'; index++) {
    const word = argv[index] ?? ''
    for (const { name, value } of flagsIn(word, all)) {
      given.add(name)
      const isOption = all[name]?.type === 'option'
      const text = isOption ? (value ?? argv[++index]) : undefined
      if (name === 'config') config = text
    }
  }
  const isGiven = (name: string): boolean => given.has(name)
  return { config, json: isGiven('json'), noColor: isGiven('no-color'), quiet: isGiven('quiet'), verbose: isGiven('verbose'), yes: isGiven('yes') }
}

/**
 * Global flags may stand before the command, or within one of two words; oclif takes the first word for the command, so
 * they are moved behind it. Help and version stay where they are. Where nothing but global flags is given it is the menu in
 * a terminal; elsewhere, and for a script that wants no question, nothing is left: that is the help, unless a document was
 * asked for.
 */
export function arrangeArguments(argv: readonly string[], isTerminal: () => boolean = () => false): string[] {
  const words: string[] = []
  const globals: string[] = []
  let index = 0
  for (; index < argv.length && foreign[words[0] ?? ''] === undefined; index++) {
    const word = argv[index] ?? ''
    if (!word.startsWith('-') || word === '-') {
      words.push(word)
      continue
    }
    const flags = flagsIn(word, globalFlagShapes)
    const last = flags.at(-1)
    if (last === undefined) break
    const wantsValue = globalFlagShapes[last.name]?.type === 'option' && last.value === undefined
    if (wantsValue && index + 1 >= argv.length) break
    globals.push(word)
    if (wantsValue) globals.push(argv[++index] ?? '')
  }
  const rest = argv.slice(index)
  if (process.env['NO_COLOR'] === undefined && readGlobalFlags(argv).noColor) process.env['NO_COLOR'] = '1'
  if (words.length === 0 && rest.length === 0) {
    const { json, quiet, yes } = readGlobalFlags(globals)
    if (json) return globals
    return !quiet && !yes && isTerminal() ? ['menu', ...globals] : []
  }
  const known = foreign[words[0] ?? '']
  const kept = known === undefined ? globals : globals.filter((word) => known.includes(word))
  const end = rest.indexOf('--')
  const [before, after] = end < 0 ? [rest, []] : [rest.slice(0, end), rest.slice(end)]
  return [...words, ...(known === undefined ? withWaits(before) : before), ...kept, ...after]
}

/** oclif knows no flag that may have a value and need not. A word such as `30m` behind `--wait` is its value; a mere number may be a stack. */
function withWaits(words: readonly string[]): string[] {
  return words.flatMap((word, at) => {
    const isTime = (text: string | undefined): boolean => text !== undefined && /^\d{1,6}[smhd]$/.test(text)
    if (word === '--wait') return [`--wait=${isTime(words[at + 1]) ? words[at + 1] : usualWait}`]
    return isTime(word) && words[at - 1] === '--wait' ? [] : [word]
  })
}

/** Whether a command of ours is to print one JSON document. Takes arranged arguments. */
export function printsDocument(arranged: readonly string[]): boolean {
  return foreign[arranged[0] ?? ''] === undefined && readGlobalFlags(arranged).json
}

/** The flags that one word is made of: `--config=F`, `-cF`, `-qv`; none where one of them is not known. */
function flagsIn(word: string, shapes: Readonly<Record<string, FlagShape>>): readonly { readonly name: string; readonly value?: string }[] {
  if (word.startsWith('--')) {
    const [, name = '', value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    const shape = shapes[name]
    if (shape === undefined || (shape.type === 'boolean' && value !== undefined)) return []
    return [value === undefined ? { name } : { name, value }]
  }
  if (!word.startsWith('-')) return []
  const found: { name: string; value?: string }[] = []
  for (let at = 1; at < word.length; at++) {
    const [name, shape] = Object.entries(shapes).find(([, { char }]) => char === word[at]) ?? []
    if (name === undefined || shape === undefined) return []
    if (shape.type === 'boolean') {
      found.push({ name })
      continue
    }
    const value = word.slice(at + 1).replace(/^=/, '')
    found.push(value === '' ? { name } : { name, value })
    break
  }
  return found
}
