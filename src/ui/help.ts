import type { Command, Interfaces } from '@oclif/core'
import { CommandHelp, Help } from '@oclif/core/help'

import { StackbkError } from '../errors.js'
import { globalGroup, StackbkCommand } from './stackbk-command.js'
import { exitCodesOf, generalExitCodes, withoutExitCodes } from './exit-code-help.js'

type Rows = readonly (readonly [string, string | undefined])[]

/** What a new user runs first, in this order. */
const firstSteps: Rows = [
  ['config init', 'write a configuration, step by step'],
  ['dirlist', 'choose which stacks are backed up'],
  ['backup --dry-run', 'see what a backup would do; then: backup'],
  ['schedule install', 'have it run every night'],
  ['', 'in a terminal: a menu of all this'],
]

/** The topic of `stackbk help exit-codes`. */
const exitCodesTopic = 'exit-codes'

/**
 * Shows help that fits one screen of 24 rows, if it can: usage and examples take a row each, global flags are named in one row
 * and explained by `stackbk --help`, exit codes by `stackbk help exit-codes`.
 */
export default class StackbkHelp extends Help {
  protected override CommandHelpClass = OneScreenHelp

  override async showHelp(argv: string[]): Promise<void> {
    if (argv[0] === exitCodesTopic) this.#showExitCodes(argv.slice(1))
    else await super.showHelp(argv)
  }

  override showCommandHelp(command: Command.Loadable): Promise<void> {
    const [summary, text] = this.#textsOf(command)
    const help = new OneScreenHelp(command, this.config, this.opts)
    const commands = this.#listOf(this.#commandsBelow(command.id))
    this.log(paragraphs([summary, text, help.generate(), commands === '' ? '' : this.section('COMMANDS', commands), help.references()]))
    return Promise.resolve()
  }

  protected override showRootHelp(): Promise<void> {
    const usage = labelled([['USAGE', [`$ ${this.config.bin} COMMAND [ARGUMENTS] [FLAGS]`]], ['HELP', [`$ ${this.config.bin} COMMAND --help`, `$ ${this.config.bin} help ${exitCodesTopic}`]]])
    const commands = this.sortedCommands.filter(({ id }) => this.opts.all === true || !id.includes(':'))
    const topics = this.sortedTopics.filter(({ name }) => !name.includes(':') && !commands.some(({ id }) => id === name))
    const rows = [...commands.map((command): [string, string] => [spoken(command.id), this.#summaryOf(command)]), ...topics.map(({ name, description = '' }): [string, string] => [name, description])]
    this.log(
      paragraphs([
        this.wrap(String(this.config.pjson.description ?? ''), 0),
        usage,
        this.section('COMMANDS', this.#list(rows.toSorted(([one], [other]) => (one < other ? -1 : 1)))),
        this.section('GLOBAL FLAGS', new OneScreenHelp({ ...noCommand, flags: StackbkCommand.baseFlags }, this.config, this.opts).explainGlobalFlags()),
        this.section('FIRST STEPS', this.#list(firstSteps.map(([words, meaning]) => [`$ ${this.config.bin} ${words}`.trim(), meaning]))),
      ]),
    )
    return Promise.resolve()
  }

  protected override showTopicHelp(topic: Interfaces.Topic): Promise<void> {
    const usage = labelled([['USAGE', [`$ ${this.config.bin} ${spoken(topic.name)} COMMAND`]]])
    this.log(paragraphs([topic.description ?? '', usage, this.section('COMMANDS', this.#listOf(this.#commandsBelow(topic.name)))]))
    return Promise.resolve()
  }

  /** Shows all exit codes, or those of one command. */
  #showExitCodes(words: readonly string[]): void {
    const command = words.length === 0 ? undefined : this.config.findCommand(words.join(':'))
    if (words.length > 0 && command === undefined) throw new StackbkError({ kind: 'usage', code: 'unknown-command', message: `there is no command "${words.join(' ')}"`, fix: `See: ${this.config.bin} --help` })
    const rows = command === undefined ? generalExitCodes : exitCodesOf(command.description ?? '')
    const name = command === undefined ? '' : ` ${spoken(command.id)}`
    const more = command === undefined ? `What a code means for one command: ${this.config.bin} help ${exitCodesTopic} COMMAND` : ''
    this.log(paragraphs([command === undefined ? 'what the exit code of a command says' : `what the exit code of${name} says`, rows.length === 0 ? 'it names none' : this.section('EXIT CODES', this.#list(rows)), more]))
  }

  #commandsBelow(id: string): Command.Loadable[] {
    const begin = `${id.replaceAll(' ', ':')}:`
    const below = this.sortedCommands.filter((command) => command.id.startsWith(begin))
    const aliases = below.flatMap((command) => [...command.aliases, ...command.hiddenAliases])
    return below.filter((command) => !aliases.includes(command.id))
  }

  #listOf(commands: readonly Command.Loadable[]): string {
    return this.#list(commands.map((command) => [spoken(command.id), this.#summaryOf(command)]))
  }

  #list(rows: Rows): string {
    return this.renderList(rows.map(([left, right]) => [left, right]), { indentation: 2, spacer: '\n', stripAnsi: this.opts.stripAnsi ?? false })
  }

  /** The first sentence, and what follows it without the exit codes. oclif's own commands have no summary. */
  #textsOf({ summary, description = '' }: Command.Loadable): readonly [string, string] {
    const text = withoutExitCodes(this.render(description))
    const [first = '', ...more] = text.split('\n')
    const rest = summary === undefined ? more.join('\n').trim() : text
    return [this.wrap(this.render(summary ?? first), 0), rest === '' ? '' : this.wrap(rest, 0)]
  }

  #summaryOf(command: Command.Loadable): string {
    if (command.id === 'help') return `show the help of a command, or: help ${exitCodesTopic}`
    return this.render(command.summary ?? command.description?.split('\n')[0] ?? '')
  }
}

/** A label with its lines. */
type Labelled = readonly [string, readonly string[]]

/** The part of a command's help between its texts and its references. */
class OneScreenHelp extends CommandHelp {
  override generate(): string {
    const { command } = this
    const args = Object.values(command.args).filter(({ hidden }) => hidden !== true)
    const facts: readonly Labelled[] = [
      ['USAGE', this.#usageLines()],
      ['ARGUMENTS', this.#rows(this.args(args) ?? [], 'ARGUMENTS'.length + 2)],
      ['ALIASES', command.aliases.map((alias) => `$ ${this.config.bin} ${spoken(alias)}`)],
      ['EXAMPLES', this.#exampleLines()],
    ]
    const groups = [...new Set(this.#shownFlags().map(({ helpGroup = '' }) => helpGroup))].filter((group) => group !== globalGroup).toSorted((one, other) => Number(one !== '') - Number(other !== ''))
    const flags = groups.map((group) => this.section(group === '' ? 'FLAGS' : group, this.#rows(this.flags(this.#shownFlags().filter(({ helpGroup = '' }) => helpGroup === group)) ?? [], 2).join('\n')))
    return paragraphs([labelled(facts), ...flags])
  }

  /** Where the rest is explained. */
  references(): string {
    const globals = this.#shownFlags().filter(({ helpGroup }) => helpGroup === globalGroup)
    const { bin } = this.config
    const names = globals.map(({ char, name, ...flag }) => `${char === undefined ? `--${name}` : `-${char}`}${'helpValue' in flag && typeof flag.helpValue === 'string' ? ` ${flag.helpValue}` : ''}`)
    const hasCodes = exitCodesOf(this.command.description ?? '').length > 0
    return labelled([['GLOBAL FLAGS', names.length === 0 ? [] : [`${names.join(', ')}: see ${bin} --help`]], ['EXIT CODES', hasCodes ? [`see ${bin} help ${exitCodesTopic} ${spoken(this.command.id)}`] : []]])
  }

  explainGlobalFlags(): string {
    return this.#rows(this.flags(this.#shownFlags()) ?? [], 2).join('\n')
  }

  #shownFlags(): Command.Flag.Any[] {
    const flags = Object.entries(this.command.flags).map(([name, flag]): Command.Flag.Any => ({ ...flag, name }))
    return flags.filter(({ hidden }) => hidden !== true).toSorted((one, other) => Number(one.char === undefined) - Number(other.char === undefined) || (one.name < other.name ? -1 : 1))
  }

  #usageLines(): readonly string[] {
    const { id, usage, args, flags, strict } = this.command
    if (usage !== undefined) return [usage].flat().map((line) => `$ ${this.config.bin} ${this.render(line)}`)
    const words = Object.values(args).filter(({ hidden }) => hidden !== true).map(({ name, required, multiple }) => {
      const word = `${name.toUpperCase()}${multiple === true || strict === false ? '...' : ''}`
      return required === true ? word : `[${word}]`
    })
    return [['$', this.config.bin, spoken(id), ...words, ...(Object.keys(flags).length === 0 ? [] : ['[FLAGS]'])].join(' ')]
  }

  #exampleLines(): readonly string[] {
    const { examples = [] } = this.command
    return examples.flatMap((example) => (typeof example === 'string' ? example.split('\n') : [example.description, example.command])).map((line) => this.render(line.trim())).filter((line) => line !== '').map((line) => (line.startsWith(`${this.config.bin} `) ? `$ ${line}` : line))
  }

  #rows(rows: Rows, indentation: number): readonly string[] {
    const text = this.renderList(rows.map(([left, right]) => [left, right]), { indentation, spacer: '\n', stripAnsi: this.opts.stripAnsi ?? false })
    return text === '' ? [] : text.split('\n')
  }
}

const noCommand: Command.Loadable = { id: '', aliases: [], hiddenAliases: [], args: {}, flags: {}, hidden: false, load: () => Promise.reject(new Error('there is no command')) }

/** Labels in a column, each with its lines beside it; one without lines is left out. */
function labelled(facts: readonly Labelled[]): string {
  const shown = facts.filter(([, lines]) => lines.length > 0)
  const column = Math.max(...shown.map(([label]) => label.length)) + 2
  return shown.flatMap(([label, lines]) => lines.map((line, index) => `${(index === 0 ? label : '').padEnd(column)}${line}`)).join('\n')
}

function paragraphs(texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n\n')
}

function spoken(id: string): string {
  return id.replaceAll(':', ' ')
}
