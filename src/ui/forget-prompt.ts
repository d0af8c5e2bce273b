import { declined, StackbkError } from '../errors.js'
import type { SnapshotReport } from '../stages/snapshots.js'
import { ChoiceList } from './choice-list.js'
import { localTime } from './local-time.js'
import { ask, askYesOrNo } from './prompt.js'
import { formatBytes } from './table.js'

/** What is to be forgotten, as the arguments of `snapshots forget` say it. */
export interface ChosenSnapshots {
  readonly ids: readonly string[]
  readonly prune: boolean
}

/** Lets snapshots be ticked, newest first. `prune`: that has been said already. Throws `interrupted` where it is left. */
export async function askForSnapshots(snapshots: readonly SnapshotReport[], prune: boolean): Promise<ChosenSnapshots> {
  if (snapshots.length === 0) throw new StackbkError({ kind: 'nothing-to-do', code: 'no-snapshots', message: 'there is no snapshot to forget', fix: 'Make one with: stackbk backup' })
  const choices = snapshots.toReversed().map(({ id, time, stack, host, bytes, tags }) => {
    const marks = tags.filter((tag) => tag !== 'stackbk' && !tag.startsWith('stack:'))
    return { value: id, label: `${localTime(time)}  ${stack ?? '-'}`, hint: [formatBytes(bytes), host, id.slice(0, 8), ...marks].join('  '), otherNames: id }
  })
  const asked = await ask(new ChoiceList({ title: 'Which snapshots do you want to forget?', choices, ticked: [], flag: 'forget ID...' }))
  if (asked.kind !== 'answer' || asked.value.ticked.length === 0) throw left()
  if (prune) return { ids: asked.value.ticked, prune }
  const now = await askYesOrNo('Free their space at once? Otherwise the next backup does it.', '--prune')
  if (now.kind !== 'answer') throw left()
  return { ids: asked.value.ticked, prune: now.value }
}

function left(): StackbkError {
  return declined({ isLeft: true })
}
