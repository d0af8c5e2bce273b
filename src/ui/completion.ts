/** What may be completed, as the commands declare it. oclif's own declarations fit. */
export interface CompletableCommand {
  /** Its words with blanks between. */
  readonly name: string
  readonly summary: string
  readonly aliases: readonly string[]
  readonly args: Readonly<Record<string, { readonly name: string; readonly multiple?: boolean; readonly options?: readonly string[] }>>
  /** Whether it takes more arguments than it declares. */
  readonly isOpen: boolean
  readonly flags: Readonly<Record<string, CompletableFlag>>
}

export interface CompletableFlag {
  readonly name: string
  readonly char?: string
  readonly type: 'boolean' | 'option'
  readonly description?: string
  readonly helpValue?: string | readonly string[]
  readonly options?: readonly string[]
  readonly multiple?: boolean
}

export interface Candidate {
  readonly value: string
  readonly description: string
}

/** What may stand at the place of the last word. `files`, `folders`: the shell knows better. */
export type Completion = { readonly kind: 'values'; readonly candidates: readonly Candidate[] } | { readonly kind: 'files' | 'folders' }

/** Where values come from that only this host knows; asked only where one is wanted. `config`: what the line itself names. */
export interface ValueSources {
  readonly stacks: (config: string | undefined) => readonly Candidate[]
  readonly snapshots: () => readonly Candidate[]
}

const nothing: Completion = { kind: 'values', candidates: [] }

/** `words`: all behind the program's name, the last one to be completed, as the shell split them. */
export function complete(words: readonly string[], commands: readonly CompletableCommand[], sources: ValueSources): Completion {
  const line = joined(words.map(unquoted))
  const last = line.at(-1) ?? ''
  const { command, name, positionals, given, config, awaited } = readLine(line.slice(0, -1), commands)
  const flags = Object.values(command?.flags ?? globalsOf(commands))
  const valuesFor = (kind: ValueKind): Completion => valuesOf(kind, sources, config)
  // `--flag=` in one word: the value comes with its flag before it.
  const [, long, begun] = /^--([^=]+)=(.*)$/s.exec(last) ?? []
  if (long !== undefined && begun !== undefined) return withPrefix(`--${long}=`, matching(valuesFor(kindOfFlag(flags.find((flag) => flag.name === long))), begun))
  if (awaited !== null) return matching(valuesFor(kindOfFlag(flags.find((flag) => flag.name === awaited))), last)
  if (last.startsWith('-')) return matching({ kind: 'values', candidates: flagCandidates(flags, given) }, last)
  const under = positionals.length === 0 ? subcommands(name, commands) : []
  const kind = command === null ? null : kindOfArgument(command, positionals.length)
  const values = kind === null ? nothing : valuesFor(kind)
  if (values.kind !== 'values') return values
  const used = new Set(positionals)
  return matching({ kind: 'values', candidates: [...under, ...values.candidates.filter(({ value }) => !used.has(value))] }, last)
}

type ValueKind = 'stacks' | 'snapshots' | 'files' | 'folders' | 'nothing' | readonly string[]

interface ReadLine {
  readonly command: CompletableCommand | null
  /** The command's words so far, or a topic's. */
  readonly name: string
  readonly positionals: readonly string[]
  /** Names of the flags that are there. */
  readonly given: ReadonlySet<string>
  readonly config: string | undefined
  /** The flag whose value comes next. */
  readonly awaited: string | null
}

function readLine(words: readonly string[], commands: readonly CompletableCommand[]): ReadLine {
  let name = ''
  const positionals: string[] = []
  const given = new Set<string>()
  let config: string | undefined
  let awaited: string | null = null
  for (const word of words) {
    const found = called(name, commands)
    if (awaited !== null) {
      if (awaited === 'config') config = word
      awaited = null
    } else if (word.startsWith('-') && word !== '-') {
      const flags = Object.values(found?.flags ?? globalsOf(commands))
      const [, long, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
      const flag = flags.find((candidate) => (long === undefined ? candidate.char === word.at(-1) : candidate.name === long))
      if (flag === undefined) continue
      given.add(flag.name)
      if (flag.type === 'option' && value === undefined) awaited = flag.name
      else if (flag.name === 'config') config = value
    } else if (positionals.length === 0 && isName(`${name} ${word}`.trim(), commands)) name = `${name} ${word}`.trim()
    else positionals.push(word)
  }
  return { command: called(name, commands), name, positionals, given, config, awaited }
}

/** bash splits at `=`: the parts of `--flag=value` come back together as a flag and its value. */
function joined(words: readonly string[]): string[] {
  return words.flatMap((word, index) => (word === '=' && words[index - 1]?.startsWith('--') === true ? (index === words.length - 1 ? [''] : []) : [word]))
}

/** As the shell would take the word; one whose quote is still open too. */
function unquoted(word: string): string {
  const [, quote, inner] = /^(["'])(.*?)\1?$/s.exec(word) ?? []
  if (quote === "'") return inner ?? ''
  return (inner ?? word).replaceAll(/\\(.)/gs, '$1')
}

function called(name: string, commands: readonly CompletableCommand[]): CompletableCommand | null {
  return commands.find((command) => command.name === name || command.aliases.includes(name)) ?? null
}

function isName(name: string, commands: readonly CompletableCommand[]): boolean {
  return commands.some((command) => [command.name, ...command.aliases].some((known) => known === name || known.startsWith(`${name} `)))
}

/** Those that every command takes. */
function globalsOf(commands: readonly CompletableCommand[]): CompletableCommand['flags'] {
  const names = ['config', 'json', 'no-color', 'quiet', 'verbose', 'yes']
  const { flags = {} } = commands.find((command) => names.every((name) => command.flags[name] !== undefined)) ?? {}
  return Object.fromEntries(names.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])))
}

/** The next words of commands that begin so. */
function subcommands(name: string, commands: readonly CompletableCommand[]): Candidate[] {
  const begin = name === '' ? '' : `${name} `
  const next = new Map<string, string>()
  for (const command of commands.filter((candidate) => candidate.name.startsWith(begin) && candidate.name !== name)) {
    const [word = '', ...more] = command.name.slice(begin.length).split(' ')
    if (more.length === 0 || !next.has(word)) next.set(word, more.length === 0 ? command.summary : '')
  }
  return [...next].map(([value, description]) => ({ value, description }))
}

function flagCandidates(flags: readonly CompletableFlag[], given: ReadonlySet<string>): Candidate[] {
  return flags.filter(({ name, multiple }) => multiple === true || !given.has(name)).map(({ name, description = '' }) => ({ value: `--${name}`, description }))
}

function kindOfFlag(flag: CompletableFlag | undefined): ValueKind {
  if (flag === undefined || flag.type === 'boolean') return 'nothing'
  if (flag.options !== undefined) return flag.options
  if (flag.name === 'stack') return 'stacks'
  switch (String(flag.helpValue)) {
    case 'STACK':
      return 'stacks'
    case 'ID':
      return 'snapshots'
    case 'FILE':
      return 'files'
    case 'PATH':
    case 'DIR':
      return 'folders'
    default:
      return 'nothing'
  }
}

/** `null` where no more arguments are taken. */
function kindOfArgument({ args, isOpen, name }: CompletableCommand, index: number): ValueKind | null {
  const declared = Object.values(args)
  const last = declared.at(-1)
  const argument = declared[index] ?? (last !== undefined && (last.multiple === true || isOpen) ? last : undefined)
  if (argument === undefined) return null
  if (argument.options !== undefined) return argument.options
  if (argument.name === 'stack' || (argument.name === 'name' && name.startsWith('dirlist ')) || name === 'dirlist remove') return 'stacks'
  if (argument.name === 'id') return 'snapshots'
  if (argument.name === 'file') return 'files'
  return argument.name === 'path' ? 'folders' : 'nothing'
}

function valuesOf(kind: ValueKind, sources: ValueSources, config: string | undefined): Completion {
  switch (kind) {
    case 'stacks':
      return { kind: 'values', candidates: sources.stacks(config) }
    case 'snapshots':
      return { kind: 'values', candidates: sources.snapshots() }
    case 'files':
    case 'folders':
      return { kind }
    case 'nothing':
      return nothing
    default:
      return { kind: 'values', candidates: kind.map((value) => ({ value, description: '' })) }
  }
}

function matching(completion: Completion, begun: string): Completion {
  if (completion.kind !== 'values') return completion
  return { kind: 'values', candidates: completion.candidates.filter(({ value }) => value.startsWith(begun)) }
}

function withPrefix(prefix: string, completion: Completion): Completion {
  if (completion.kind !== 'values') return completion
  return { kind: 'values', candidates: completion.candidates.map(({ value, description }) => ({ value: prefix + value, description })) }
}
