import type { Choice } from './choice-list.js'

/** What an entry of the menu comes to. */
export interface MenuEntry {
  /** The command's words. */
  readonly command: readonly string[]
  readonly arguments: readonly string[]
  /** Asked before it is run: it stops, replaces or removes something. */
  readonly question?: string
  /** A path that is asked for and put behind the arguments. */
  readonly path?: { readonly title: string; readonly initial: string }
}

/** `null`: the entry that leaves. */
export type MenuChoice = Choice<MenuEntry | null>

/** Commands that there are, by their words with blanks between. */
export type Commands = ReadonlySet<string>

export interface MenuSituation {
  readonly commands: Commands
  /** A configuration was found. */
  readonly isConfigured: boolean
  /** A run left stacks stopped. */
  readonly hasLeftStopped: boolean
}

interface Row {
  readonly label: string
  readonly hint: string
  readonly entry: MenuEntry
  readonly otherNames?: string
}

const kitFile = { title: 'File of the disaster kit', initial: './stackbk-kit.age' }

const firstBackup = run('backup', { question: 'Back up now? Each enabled stack is stopped for a moment, one after another.' })
const installSchedule: Row = { label: 'Install schedule', hint: 'every night, and after a power cut', otherNames: 'timer cron', entry: run('schedule install', { question: 'Install the timer and the boot unit now?' }) }
const previewBackup: Row = { label: 'Preview backup', hint: 'what a backup would do; changes nothing', otherNames: 'dry run', entry: run('backup -n') }
const writeKit: Row = { label: 'Write disaster kit', hint: 'all that a fresh host needs, encrypted', otherNames: 'kit write', entry: run('kit write', { path: kitFile }) }
const chooseStacks: Row = { label: 'Choose stacks', hint: 'enable those to back up', otherNames: 'dirlist directories disable', entry: run('dirlist') }
const setUp: Row = { label: 'Set up', hint: 'write a first configuration, step by step', otherNames: 'config init wizard', entry: run('config init') }
const takeOver: Row = { label: 'Import configuration', hint: 'of an older version, or an rclone.conf', otherNames: 'config import take over', entry: run('config import', { path: { title: 'File to import', initial: '/etc/' } }) }
const health: Row = { label: 'Health', hint: 'tools, space, remote, leftovers', otherNames: 'doctor', entry: run('doctor') }
const checkKit: Row = { label: 'Check disaster kit', hint: 'does it bring the repository back?', otherNames: 'kit check', entry: run('kit check', { path: kitFile }) }
const resume: Row = { label: 'Start stopped stacks', hint: 'finish what an interrupted run left', otherNames: 'resume', entry: run('resume') }

const groups: readonly { readonly name: string; readonly rows: readonly Row[] }[] = [
  {
    name: 'back up',
    rows: [
      { label: 'Backup', hint: 'stop, snapshot and start enabled stacks', entry: firstBackup },
      previewBackup,
      { label: 'Sync', hint: 'copy the repository to the cloud', otherNames: 'upload', entry: run('sync', { question: 'Sync now? What was forgotten here is removed from the cloud copy too, within the guards.' }) },
      { label: 'Preview sync', hint: 'what a sync would do; changes nothing', otherNames: 'dry run', entry: run('sync -n') },
      { label: 'Test cloud', hint: 'can the remote be reached?', otherNames: 'sync connectivity', entry: run('sync --test') },
      { label: 'Backup and sync', hint: 'both, as the timer does it', otherNames: 'run', entry: run('run', { question: 'Back up and sync now? Each enabled stack is stopped for a moment, one after another.' }) },
    ],
  },
  {
    name: 'bring back',
    rows: [
      { label: 'Recover stack', hint: 'from a snapshot to running containers', entry: run('recover') },
      { label: 'Restore repository', hint: 'download it from the cloud and verify it', otherNames: 'download', entry: run('restore', { question: 'Restore the repository from the cloud now? To its configured place if nothing is there, else to a folder beside it.' }) },
      { label: 'Preview restore', hint: 'what it would download: the size of the copy', otherNames: 'dry run cloud size', entry: run('restore -n') },
      { label: 'Test repository', hint: 'check it for errors', otherNames: 'verify restore', entry: run('verify') },
      { label: 'Test cloud copy', hint: 'check the files on the remote', otherNames: 'verify', entry: run('verify --cloud') },
      { label: 'Drill', hint: 'test a full recovery, isolated', otherNames: 'rehearsal test', entry: run('drill', { question: 'Start a drill now? All enabled stacks are downloaded from the cloud and started in isolation.' }) },
    ],
  },
  {
    name: 'inspect',
    rows: [
      { label: 'Status', hint: 'stacks, cloud, size of the repository', otherNames: 'overdue', entry: run('status') },
      { label: 'Snapshots and size', hint: 'each with its time and its bytes', otherNames: 'list-backups space', entry: run('snapshots') },
      { label: 'Logs', hint: 'past runs, newest first', otherNames: 'history', entry: run('history') },
      health,
      { label: 'Check configuration', hint: 'report all errors in it at once', otherNames: 'validate', entry: run('config check') },
      { label: 'Show configuration', hint: 'each value and where it comes from', entry: run('config show') },
    ],
  },
  {
    name: 'manage',
    rows: [
      chooseStacks,
      { label: 'Forget snapshots', hint: 'select some, and prune if you like', otherNames: 'delete prune remove', entry: run('snapshots forget') },
      { label: 'Schedule', hint: 'when it runs by itself', otherNames: 'timer cron', entry: run('schedule show') },
      installSchedule,
      { label: 'Test notifications', hint: 'send a message to each', otherNames: 'notify mail webhook', entry: run('notify test') },
      writeKit,
      checkKit,
    ],
  },
]

const leave: MenuChoice = { value: null, label: 'Quit', otherNames: 'exit leave' }

/** All that can be done from here, by group: without a configuration only what works without one. What the installed commands do not offer is left out. */
export function menuEntries({ commands, isConfigured, hasLeftStopped }: MenuSituation): MenuChoice[] {
  const leftStopped = hasLeftStopped ? [resume] : []
  if (!isConfigured) return [...offered([setUp, ...leftStopped, takeOver, health, checkKit].map((row) => choiceOf('', row)), commands), leave]
  const first = leftStopped.map((row) => choiceOf('first', row))
  const last = [{ ...setUp, label: 'New configuration' }, ...(hasLeftStopped ? [] : [resume])].map((row) => choiceOf('manage', row))
  const rest = groups.flatMap(({ name, rows }) => rows.map((row) => choiceOf(name, row)))
  return [...offered([...first, ...rest, ...last], commands), leave]
}

/** What follows a first configuration. */
export function firstSteps(commands: Commands): MenuChoice[] {
  const rows: readonly Row[] = [chooseStacks, previewBackup, { label: 'First backup', hint: 'stop, snapshot and start enabled stacks', entry: firstBackup }, installSchedule, writeKit]
  return [...offered(rows.map((row) => choiceOf('', row)), commands), { ...leave, label: 'Done' }]
}

function offered(choices: readonly MenuChoice[], commands: Commands): readonly MenuChoice[] {
  return choices.filter(({ value }) => value !== null && commands.has(value.command.join(' ')))
}

function choiceOf(group: string, { label, hint, entry, otherNames = '' }: Row): MenuChoice {
  const line = ['stackbk', ...entry.command, ...entry.arguments, ...(entry.path === undefined ? [] : ['FILE'])].join(' ')
  return { value: entry, label, hint, group, detail: `= ${line}`, otherNames: `${otherNames} ${line}` }
}

function run(line: string, more: Partial<MenuEntry> = {}): MenuEntry {
  const words = line.split(' ')
  const flags = words.findIndex((word) => word.startsWith('-'))
  return { command: flags < 0 ? words : words.slice(0, flags), arguments: flags < 0 ? [] : words.slice(flags), ...more }
}
