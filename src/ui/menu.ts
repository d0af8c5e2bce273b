import { exitCodes, type SignalName } from '../errors.js'
import { catchSignals } from '../host/signals.js'
import type { Overview } from '../stages/overview.js'
import { ChoiceList } from './choice-list.js'
import type { MenuChoice, MenuEntry } from './menu-entries.js'
import type { OfferedEnd } from './offered-command.js'
import { completeFolder, withHome } from './path-completion.js'
import { ask, askYesOrNo } from './prompt.js'
import { counted, formatDuration } from './table.js'
import { paintFor } from './terminal.js'
import { TextField } from './text-field.js'

export interface MenuRequest {
  readonly title: string
  /** Looked up anew before each showing: a command may have changed it. */
  readonly header: () => readonly string[]
  readonly choices: () => readonly MenuChoice[]
  /** Flags that every command gets, such as `--config FILE`. */
  readonly globals: readonly string[]
  /** Runs a command: its words, then all its arguments. */
  readonly run: (command: readonly string[], argv: readonly string[]) => Promise<OfferedEnd>
  /** What leaving by Esc ends with. Default: 130. */
  readonly codeOfEscape?: number
  /** The entries are steps: after one that ended well the cursor is on the next one. */
  readonly isSequence?: boolean
}

/** After a command the list has at most this many rows, so that some of the command's output stays visible above it. */
const rowsAfterCommand = 8

const cancelled = exitCodes.ofKind('interrupted')

/**
 * Shows the menu, runs what is chosen, and comes back with how that ended, until it is left. Gives the exit code: 0 for the
 * entry that leaves, 130 for Esc, Ctrl-C and Ctrl-D, a signal's own for a signal or a closed terminal.
 */
export async function showMenu(request: MenuRequest): Promise<number> {
  const paint = paintFor()
  let last: { readonly entry: MenuEntry; readonly exitCode: number } | null = null
  for (;;) {
    const choices = request.choices()
    const initial = last === null ? undefined : entryAfter(choices, last, request.isSequence ?? false)
    const list: ChoiceList<MenuEntry | null> = new ChoiceList({
      title: request.title,
      header: last === null ? request.header() : [],
      choices,
      ...(initial === undefined ? {} : { initial }),
      ...(last === null ? {} : { mostRows: rowsAfterCommand, isFolded: last.exitCode !== cancelled }),
    })
    const choice = await untilSignal(() => ask(list))
    if (choice.endedBy !== null) return exitCodes.ofSignal(choice.endedBy)
    if (choice.asked.kind !== 'answer') return choice.asked.kind === 'back' ? (request.codeOfEscape ?? cancelled) : cancelled
    const entry = choice.asked.value.chosen
    if (entry === null) return 0
    const more = await untilSignal(() => argumentsOf(entry))
    if (more.endedBy !== null) return exitCodes.ofSignal(more.endedBy)
    if (more.asked === 'back') continue
    if (typeof more.asked === 'string') return cancelled
    const argv = [...entry.arguments, ...request.globals, ...more.asked]
    process.stdout.write(`${paint.faint(`$ ${commandLine([...entry.command, ...argv])}`)}\n`)
    const { exitCode, endedBy } = await request.run(entry.command, argv)
    if (endedBy !== null) return exitCodes.ofSignal(endedBy)
    last = { entry, exitCode }
    const end = `${entry.command.join(' ')}: exit ${exitCode}`
    process.stdout.write(`\n${exitCode === 0 ? paint.good(end) : paint.warning(end)}\n\n`)
  }
}

/** Returns the entry for the cursor: the last one, or in a sequence the next one if the last one ended well. */
function entryAfter(choices: readonly MenuChoice[], { entry, exitCode }: { readonly entry: MenuEntry; readonly exitCode: number }, isSequence: boolean): MenuEntry | null | undefined {
  const index = choices.findIndex(({ value }) => value !== null && lineOf(value) === lineOf(entry))
  return choices[index >= 0 && isSequence && exitCode === 0 ? index + 1 : index]?.value
}

/** What stands above the menu: how the host stands, or why that cannot be said. */
export function menuHeader(look: () => Overview, { exists, file }: { readonly exists: boolean; readonly file: string }): readonly string[] {
  if (!exists) return [`stackbk: there is no configuration ${file} yet`]
  try {
    return presentOverview(look(), file)
  } catch (error) {
    const { message, detail = '' } = error as { readonly message: string; readonly detail?: string }
    return [`stackbk, ${file}`, message, ...detail.split('\n').filter((line) => line !== '').slice(0, 3)]
  }
}

/** Whether backups are made in time, as far as there is something to say. `isCopied`: no sync has failed since. */
function timeliness(late: readonly string[], isUnscheduled: boolean, isCopied: boolean): readonly string[] {
  if (late.length > 0) return [`overdue: ${late.join(', ')}`, ...(isUnscheduled ? ['no schedule'] : [])]
  if (isUnscheduled) return ['no schedule: backups are made only when you start them']
  return isCopied ? ['nothing is overdue'] : []
}

/** In three to six lines. */
function presentOverview({ host, stacks, lastBackup, lastSync, lastSyncFailed, overdue, hasSchedule, leftStopped }: Overview, file: string): string[] {
  const ago = (ageMs: number): string => `${formatDuration(ageMs)} ago`
  const facts = [
    `${stacks.enabled} of ${counted(stacks.known, 'stack')} enabled`,
    lastBackup === null ? 'no backup yet' : `backup ${lastBackup.status}, ${ago(lastBackup.ageMs)}`,
    lastSync === null ? 'no sync yet' : `sync ${ago(lastSync.ageMs)}`,
  ]
  const late = overdue.map(({ name, ageMs }) => `${name} (${ageMs === null ? 'never backed up' : ago(ageMs)})`)
  return [
    `stackbk on ${host}, ${file}`,
    facts.join(' | '),
    ...(stacks.enabled === 0 ? [] : timeliness(late, hasSchedule === false, lastSyncFailed === undefined)),
    ...(lastSyncFailed === undefined ? [] : [`the last sync failed ${ago(lastSyncFailed.ageMs)}`]),
    ...(leftStopped.length === 0 ? [] : [`left stopped by an interrupted run: ${leftStopped.join(', ')}`]),
  ]
}

/** As it can be typed into a shell. */
function commandLine(words: readonly string[]): string {
  return ['stackbk', ...words].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(' ')
}

function lineOf({ command, arguments: argv }: MenuEntry): string {
  return [...command, ...argv].join(' ')
}

/** What an entry wants to know, and whether it is meant. */
async function argumentsOf({ question, path }: MenuEntry): Promise<readonly string[] | 'back' | 'cancelled' | 'ended'> {
  if (question !== undefined) {
    const answer = await askYesOrNo(question)
    if (answer.kind !== 'answer') return answer.kind
    if (!answer.value) return 'back'
  }
  if (path === undefined) return []
  const asked = await ask(new TextField({ ...path, complete: completeFolder, objection: (text) => (text === '' ? 'a path is needed' : null) }))
  if (asked.kind !== 'answer') return asked.kind
  const given = withHome(asked.value)
  return given.startsWith('-') ? ['--', given] : [given]
}

/** A question, and the signal that has ended it. */
async function untilSignal<T>(question: () => Promise<T>): Promise<{ readonly asked: T; readonly endedBy: SignalName | null }> {
  const interruption = catchSignals()
  try {
    const asked = await question()
    return { asked, endedBy: interruption.received() }
  } finally {
    interruption.dispose()
  }
}
