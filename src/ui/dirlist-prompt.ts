import { basename, resolve } from 'node:path'

import type { StackbkError } from '../errors.js';
import { declined } from '../errors.js'
import type { DirlistEntry, DirlistPlace } from '../stacks/dirlist.js'
import { assertExternalStack, type StackChoices } from '../stacks/dirlist-changes.js'
import { suggestedName } from '../stacks/identity.js'
import { type Choice, ChoiceList } from './choice-list.js'
import { completeFolder, withHome } from './path-completion.js'
import { ask } from './prompt.js'
import { TextField } from './text-field.js'

/** The row that is no stack. */
const addition = ''

/**
 * Lets stacks be ticked on and off and external ones be added. Gives what was changed, not how it should be: while
 * somebody thinks no lock is held, and what others change meanwhile stays. Throws `interrupted` where it is left.
 */
export async function askForStacks(entries: readonly DirlistEntry[], place: DirlistPlace): Promise<StackChoices> {
  let ticked: readonly string[] = entries.filter(({ enabled }) => enabled).map(({ path }) => path)
  let added: readonly string[] = []
  const names = new Map<string, string>()
  let initial: string | undefined
  for (;;) {
    const list: ChoiceList<string> = new ChoiceList({ title: 'Back up which stacks?', choices: [...stackRows(entries, added, names), additionRow], ticked, flag: 'dirlist enable, disable, add', ...(initial === undefined ? {} : { initial }) })
    const asked = await ask(list)
    ticked = list.ticked()
    const choices = changesOf(entries, ticked, added, names)
    if (asked.kind === 'ended') throw left()
    if (asked.kind !== 'answer') {
      const decision = await askAboutChanges(choices)
      if (decision === 'save') return choices
      if (decision === 'discard') throw left()
      continue
    }
    if (!asked.value.isAction) return choices
    const path = await askForExternal(place)
    initial = addition
    if (path === null) continue
    if (!entries.some((entry) => entry.path === path)) {
      const taken = [...entries.map(({ name }) => name), ...added.filter((other) => other !== path).map((other) => names.get(other) ?? basename(other))]
      const name = taken.includes(basename(path)) ? await askForName(place, path, taken) : basename(path)
      if (name === null) continue
      names.set(path, name)
      added = [...new Set([...added, path])]
    }
    ticked = [...ticked, path]
    initial = path
  }
}

const additionRow: Choice<string> = { value: addition, label: 'Add a stack from elsewhere...', detail: 'asks for its folder, then ticks it', isAction: true }

function stackRows(entries: readonly DirlistEntry[], added: readonly string[], names: ReadonlyMap<string, string>): Choice<string>[] {
  const listed = entries.map(({ name, path, external, available }): Choice<string> => {
    const hint = [external ? path : '', available ? '' : 'not there'].filter((part) => part !== '').join(', ')
    return { value: path, label: name, detail: available ? path : `${path} is not there now: its disk may not be mounted`, ...(hint === '' ? {} : { hint }) }
  })
  const fresh = added.map((path): Choice<string> => ({ value: path, label: names.get(path) ?? basename(path), hint: path, detail: path }))
  return [...listed, ...fresh].toSorted((one, other) => one.label.localeCompare(other.label))
}

function changesOf(entries: readonly DirlistEntry[], ticked: readonly string[], added: readonly string[], names: ReadonlyMap<string, string>): StackChoices {
  return {
    add: added,
    names,
    on: [...entries.filter(({ enabled }) => !enabled).map(({ path }) => path), ...added].filter((path) => ticked.includes(path)),
    off: entries.filter(({ enabled, path }) => enabled && !ticked.includes(path)).map(({ path }) => path),
  }
}

/** What becomes of changes that were not saved. Who leaves this question too has given them up. */
async function askAboutChanges({ add, on, off }: StackChoices): Promise<'save' | 'discard' | 'go-on'> {
  const count = new Set([...add, ...on, ...off]).size
  if (count === 0) return 'discard'
  const asked = await ask(
    new ChoiceList<'save' | 'discard' | 'go-on'>({
      title: count === 1 ? 'One change is not saved' : `${count} changes are not saved`,
      choices: [
        { value: 'save', label: 'Save' },
        { value: 'discard', label: 'Discard' },
        { value: 'go-on', label: 'Go on choosing' },
      ],
    }),
  )
  if (asked.kind === 'back') return 'go-on'
  return asked.kind === 'answer' ? asked.value.chosen : 'discard'
}

async function askForExternal(place: DirlistPlace): Promise<string | null> {
  const asked = await ask(new TextField({ title: 'Folder of the stack', initial: '/', complete: completeFolder, objection: (text) => objectionTo(place, text), flag: 'dirlist add PATH' }))
  if (asked.kind === 'ended' || asked.kind === 'cancelled') throw left()
  return asked.kind === 'answer' ? resolve(withHome(asked.value)) : null
}

/** Offers the name of the folder above. `null`: back to the list. */
async function askForName(place: DirlistPlace, path: string, taken: readonly string[]): Promise<string | null> {
  const objection = (text: string): string | null => (taken.includes(text) ? `another stack is called '${text}'` : objectionTo(place, path, text))
  const asked = await ask(new TextField({ title: `Another stack is called '${basename(path)}'. Name of this one`, initial: suggestedName(path), objection, flag: 'dirlist add PATH --name NAME' }))
  if (asked.kind === 'ended' || asked.kind === 'cancelled') throw left()
  return asked.kind === 'answer' ? asked.value : null
}

function objectionTo(place: DirlistPlace, path: string, name?: string): string | null {
  try {
    assertExternalStack(place, resolve(withHome(path)), name)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function left(): StackbkError {
  return declined({ isLeft: true })
}
