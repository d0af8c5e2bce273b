import { declined } from '../errors.js'
import type { RecoverableStack } from '../stages/recover/recoverable.js'
import { type Choice, ChoiceList } from './choice-list.js'
import { localTime } from './local-time.js'
import { ask } from './prompt.js'
import { counted, formatBytes, formatDuration } from './table.js'

/** What is to be brought back, as the flags of `recover` say it. */
export interface ChosenRecovery {
  readonly names: readonly string[]
  readonly all: boolean
  /** Absent: the newest good one, else the newest live one. */
  readonly snapshot?: string
}

/** The row for all of them: no stack is called so. */
const everything = ''
const latest = ''

/** Lets a stack and one of its snapshots be chosen. Esc goes a step back. Throws `interrupted` where it is left. */
export async function askForRecovery(stacks: readonly RecoverableStack[]): Promise<ChosenRecovery> {
  let initial: string | undefined
  for (;;) {
    const name = await answerTo(new ChoiceList({ title: 'Which stack do you want to recover?', choices: [...stacks.map(stackRow), everythingRow(stacks)], flag: 'recover STACK, --all', ...(initial === undefined ? {} : { initial }) }))
    if (name === null) throw declined({ isLeft: true })
    if (name === everything) return { names: [], all: true }
    initial = name
    const stack = stacks.find((each) => each.name === name)
    const snapshot = await answerTo(new ChoiceList({ title: `Which snapshot of ${name}?`, choices: snapshotRows(stack), flag: '--snapshot ID' }))
    if (snapshot !== null) return { names: [name], all: false, ...(snapshot === latest ? {} : { snapshot }) }
  }
}

/** `null` for Esc. */
async function answerTo(list: ChoiceList<string>): Promise<string | null> {
  const asked = await ask(list)
  if (asked.kind === 'back') return null
  if (asked.kind !== 'answer') throw declined({ isLeft: true })
  return asked.value.chosen
}

function stackRow({ name, snapshots }: RecoverableStack): Choice<string> {
  const count = counted(snapshots.length, 'snapshot')
  return { value: name, label: name, hint: `${count}, the last ${ago(snapshots[0]?.time)}` }
}

function everythingRow(stacks: readonly RecoverableStack[]): Choice<string> {
  return { value: everything, label: 'All stacks', hint: `each from its latest good snapshot, or a live one, of ${stacks[0]?.host ?? 'this host'}` }
}

function snapshotRows(stack: RecoverableStack | undefined): Choice<string>[] {
  const snapshots = stack?.snapshots ?? []
  const best = snapshots.find(({ marks }) => marks.length === 0) ?? snapshots.find(({ marks }) => marks.length === 1 && marks[0] === 'live')
  const rows = snapshots.map(({ id, time, bytes, marks }): Choice<string> => ({
    value: id,
    label: localTime(time),
    hint: [ago(time), ...(bytes === null ? [] : [formatBytes(bytes)]), id.slice(0, 8), ...marks].join('  '),
  }))
  return best === undefined ? rows : [{ value: latest, label: best.marks.length === 0 ? 'The latest good one' : 'The latest one, read live', hint: `${ago(best.time)}  ${best.id.slice(0, 8)}` }, ...rows]
}

function ago(time: string | undefined): string {
  return time === undefined ? 'never' : `${formatDuration(Math.max(0, Date.now() - Date.parse(time)))} ago`
}
