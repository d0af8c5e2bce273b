import { readFileSync } from 'node:fs'

import { declined, StackbkError } from '../errors.js'
import { type Askable, mayAsk } from './terminal.js'

/** The passphrase of a kit that is there: from the file, else asked for. Throws `usage` where there is no file and nobody may be asked. */
export async function givenPassphrase(file: string | undefined, askable: Askable): Promise<string> {
  return file === undefined ? await asked('Passphrase of the kit', askable) : inFile(file)
}

/** A passphrase for a new kit: from the file, else asked for twice. */
export async function newPassphrase(file: string | undefined, askable: Askable): Promise<string> {
  if (file !== undefined) return inFile(file)
  const first = await asked('Passphrase for the kit', askable)
  if (first !== (await asked('Repeat the passphrase', askable))) throw new StackbkError({ kind: 'usage', code: 'passphrases-differ', message: 'the two passphrases differ', fix: 'Run the command again' })
  return first
}

function inFile(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new StackbkError({ kind: 'usage', code: 'passphrase-not-readable', message: `the passphrase file ${file} cannot be read`, detail: (error as Error).message, fix: 'Name a file that holds only the passphrase' })
  }
  return notEmpty(text.replace(/\r?\n$/, ''), `the passphrase file ${file} is empty`)
}

async function asked(question: string, askable: Askable): Promise<string> {
  if (!mayAsk(askable)) {
    throw new StackbkError({ kind: 'usage', code: 'no-passphrase', message: 'a passphrase is needed, and there is no terminal to ask in', detail: 'with --json, --quiet and --yes nothing is asked either', fix: 'Add --passphrase-file FILE' })
  }
  const { askSecret } = await import('./prompt.js')
  const answer = await askSecret(question)
  if (answer === null) throw declined({ isLeft: true })
  return notEmpty(answer, 'the passphrase is empty')
}

function notEmpty(passphrase: string, message: string): string {
  if (passphrase === '') throw new StackbkError({ kind: 'usage', code: 'empty-passphrase', message, fix: 'Give one of at least five random words' })
  return passphrase
}
