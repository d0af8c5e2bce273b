import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

import { nearestName } from '../config/nearest-name.js'
import type { StackbkError } from '../errors.js';
import { declined } from '../errors.js'
import type { FirstLook } from '../stages/first-look.js'
import { ChoiceList, type ChoiceListOptions } from './choice-list.js'
import { completeFolder, withHome } from './path-completion.js'
import { ask, askYesOrNo } from './prompt.js'
import { shownText } from './shown-text.js'
import { paintFor } from './terminal.js'
import { TextField, type TextFieldOptions } from './text-field.js'

/** What the flags of `config init` say. */
export interface WizardAnswers {
  readonly output: string
  readonly stacksDirectory: string
  readonly repository: string
  readonly passwordFile: string | undefined
  readonly generatePassword: boolean
  readonly remote: string | undefined
  readonly remotePath: string | undefined
  readonly force: boolean
}

type Draft = { -readonly [K in keyof WizardAnswers]: WizardAnswers[K] }

/** A part of the wizard; Esc in it goes back to the one before. */
type Part = (draft: Draft, look: FirstLook) => Promise<'next' | 'back'>

const another = ''
const noRemote = '-'
const makeRemotes = 'Remotes are made with: rclone config'

/**
 * Asks for everything that a first configuration needs, with what the host has to choose from. Writes nothing. Throws
 * `interrupted` where it is left.
 */
export async function askForConfiguration(look: FirstLook, { output, force }: { readonly output: string; readonly force: boolean }): Promise<WizardAnswers> {
  tell(look)
  const draft: Draft = { output: resolve(output), stacksDirectory: '/opt/docker-stacks', repository: '', passwordFile: undefined, generatePassword: false, remote: undefined, remotePath: undefined, force }
  if (existsSync(draft.output) && !force) {
    const asked = await askYesOrNo(`There is a configuration already: ${draft.output}. Replace it? The old one is kept next to it.`, '--force')
    if (asked.kind !== 'answer' || !asked.value) throw left()
    draft.force = true
  }
  const parts: readonly Part[] = [askForStacksFolder, askForRepository, askForPassword, askForRemote, askWhetherRight]
  for (let at = 0; at < parts.length; ) {
    const step = await parts[at]?.(draft, look)
    at += step === 'back' ? -1 : 1
    if (at < 0) throw left()
  }
  return draft
}

function tell({ tools }: FirstLook): void {
  const paint = paintFor()
  const good = tools.filter(({ status }) => status === 'ok').map(({ id, found }) => `${id.replace(/\.(?:version|engine)$/, (end) => (end === '.engine' ? ' engine' : ''))} ${found}`)
  const wrong = tools.filter(({ status }) => status !== 'ok').map(({ found, needed, fix }) => `  ${found}; needed: ${needed}. ${fix}`)
  const text = [paint.strong('A first configuration. Nothing is written until you confirm it.'), `tools: ${good.join(', ') || 'none'}`, ...wrong.map((line) => paint.warning(line)), ''].join('\n')
  process.stdout.write(`${shownText(text, process.stdout)}\n`)
}

const askForStacksFolder: Part = async (draft, look) => {
  const { stacksFolders } = look
  const found = stacksFolders.map(({ path, stacks, known }) => ({ value: path, label: path, hint: `${stacks === 1 ? 'one stack' : `${stacks} stacks`}${known === 0 || known === stacks ? '' : `, ${known} of them known to the engine`}` }))
  const chosen = found.length === 0 ? another : await choose({ title: 'Where are the stacks?', choices: [...found, { value: another, label: 'Another folder...' }], flag: '--stacks-dir PATH' })
  if (chosen === null) return 'back'
  if (chosen !== another) {
    draft.stacksDirectory = chosen
    return 'next'
  }
  const path = await write({ title: 'Folder that holds one folder per stack', initial: draft.stacksDirectory, complete: completeFolder, objection: objectionToFolder, flag: '--stacks-dir PATH' })
  if (path === null) return found.length === 0 ? 'back' : askForStacksFolder(draft, look)
  draft.stacksDirectory = resolve(withHome(path))
  return 'next'
}

const askForRepository: Part = async (draft) => {
  const objection = (text: string): string | null => objectionToRepository(text, draft.stacksDirectory)
  const path = await write({ title: 'Folder for the repository, best on another disk', initial: draft.repository || '/srv/backup/restic', complete: completeFolder, objection, flag: '--repository PATH' })
  if (path === null) return 'back'
  draft.repository = isElsewhere(path) ? path : resolve(withHome(path))
  return 'next'
}

const askForPassword: Part = async (draft, look) => {
  const usual = join(dirname(draft.output), 'repository-password')
  const isThere = existsSync(join(draft.repository, 'config'))
  const choices = [
    ...(existsSync(usual) ? [{ value: 'usual', label: `The one in ${usual}` }] : isThere ? [] : [{ value: 'new', label: 'A new random one', hint: `written to ${usual}` }]),
    { value: 'file', label: 'One that is in a file...', hint: isThere ? 'the repository exists already' : '' },
  ]
  const chosen = await choose({ title: 'Which password opens the repository?', choices, flag: '--generate-password, --password-file FILE' })
  if (chosen === null) return 'back'
  draft.generatePassword = chosen === 'new'
  draft.passwordFile = chosen === 'usual' ? usual : undefined
  if (chosen !== 'file') return 'next'
  const file = await write({ title: 'File that holds only the password', initial: '/', complete: completeFolder, objection: objectionToPassword, flag: '--password-file FILE' })
  if (file === null) return askForPassword(draft, look)
  draft.passwordFile = resolve(withHome(file))
  return 'next'
}

const askForRemote: Part = async (draft, look) => {
  const remotes = await look.listRemotes()
  const header = remotes?.length === 0 ? ['There is no rclone remote yet.', makeRemotes] : []
  const choices = [...(remotes ?? []).map((name) => ({ value: name, label: name, hint: 'rclone remote' })), { value: noRemote, label: 'No cloud copy for now' }, { value: another, label: 'Another remote...' }]
  const chosen = await choose({ title: 'Which remote should it be copied to?', header, choices, flag: '--remote NAME' })
  if (chosen === null) return 'back'
  draft.remote = undefined
  draft.remotePath = undefined
  if (chosen === noRemote) return 'next'
  const name = chosen !== another ? chosen : await askForRemoteName(look)
  if (name === null) return askForRemote(draft, look)
  const path = await write({ title: `Path on ${name}`, initial: '/backup/restic', objection: (text) => (text === '' ? 'a path is needed: its whole content is taken for the copy' : null), flag: '--remote-path PATH' })
  if (path === null) return askForRemote(draft, look)
  draft.remote = name
  draft.remotePath = path
  return 'next'
}

/** Asks until rclone knows the remote, as it may be made meanwhile in another terminal. `null` for Esc. */
async function askForRemoteName({ listRemotes }: FirstLook): Promise<string | null> {
  const objection = (text: string): string | null => (/^[\w. +@-]+$/.test(text) ? null : 'a name as in: rclone listremotes')
  let refused: { readonly initial: string; readonly note: string } | null = null
  for (;;) {
    const name: string | null = await write({ title: 'Name of the remote', objection, flag: '--remote NAME', ...refused })
    if (name === null) return null
    const remotes = await listRemotes()
    if (remotes === null || remotes.includes(name)) return name
    const nearest = nearestName(name, remotes)
    refused = { initial: name, note: `there is no rclone remote named ${name}${nearest === null ? `. ${makeRemotes}` : `. Did you mean ${nearest}?`}` }
  }
}

const askWhetherRight: Part = async (draft) => {
  const password = draft.generatePassword ? 'a new random one' : (draft.passwordFile ?? '')
  const header = [
    `configuration  ${draft.output}`,
    `stacks         ${draft.stacksDirectory}`,
    `repository     ${draft.repository}`,
    `password       ${password}`,
    `cloud          ${draft.remote === undefined ? 'none' : `${draft.remote}:${draft.remotePath ?? ''}`}`,
  ]
  const chosen = await choose({ title: 'Write this configuration?', header, choices: [{ value: 'write', label: 'Yes, write it' }, { value: 'back', label: 'Go back' }] })
  if (chosen === 'write') process.stdout.write(`${header.join('\n')}\n`)
  return chosen === 'write' ? 'next' : 'back'
}

/** `null` for Esc. */
async function choose(options: ChoiceListOptions<string>): Promise<string | null> {
  const asked = await ask(new ChoiceList(options))
  if (asked.kind === 'back') return null
  if (asked.kind !== 'answer') throw left()
  return asked.value.chosen
}

async function write(options: TextFieldOptions): Promise<string | null> {
  const asked = await ask(new TextField(options))
  if (asked.kind === 'back') return null
  if (asked.kind !== 'answer') throw left()
  return asked.value
}

function isElsewhere(repository: string): boolean {
  return /^[a-z0-9]+:/i.test(repository)
}

function objectionToFolder(text: string): string | null {
  if (text === '') return 'a folder is needed'
  return statSync(resolve(withHome(text)), { throwIfNoEntry: false })?.isDirectory() === true ? null : 'there is no such folder'
}

function objectionToRepository(text: string, stacksDirectory: string): string | null {
  if (text === '') return 'a folder is needed'
  if (isElsewhere(text)) return null
  const path = resolve(withHome(text))
  if (path === stacksDirectory || path.startsWith(`${stacksDirectory}/`)) return 'it is inside the stacks folder: it would be backed up into itself'
  return existsSync(path) && !statSync(path).isDirectory() ? 'it is not a folder' : null
}

function objectionToPassword(text: string): string | null {
  try {
    return readFileSync(resolve(withHome(text)), 'utf8').trim() === '' ? 'it is empty' : null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function left(): StackbkError {
  return declined({ isLeft: true })
}
