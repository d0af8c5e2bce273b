import { readFile } from 'node:fs/promises'

import { answered, failed, Secret, shellWord, type Answer, type CallOptions, type Exec, type Keepsake } from '@stackbk/contract'
import { parseArgsStringToArgv } from 'string-argv'

import type { PasswordSource } from './password.js'

/** Its name in the disaster kit. */
const passwordName = 'password'

/** A password command may ask somebody, but not for ever. */
const commandLimitMs = 120_000

/** The repository password alone in a file, wherever it comes from here: a bare host has neither its command nor its environment. */
export async function keepsakes(exec: Exec, source: PasswordSource, options: CallOptions = {}): Promise<Answer<readonly Keepsake[]>> {
  const password = await passwordOf(exec, source, options)
  if (!password.ok) return password
  return answered([{ name: passwordName, content: new Secret(`${password.value.reveal()}\n`), setting: { section: 'local_backup', key: 'RESTIC_PASSWORD_FILE' }, place: null }])
}

async function passwordOf(exec: Exec, source: PasswordSource, options: CallOptions): Promise<Answer<Secret>> {
  switch (source.from) {
    case 'file':
      return passwordInFile(source.path)
    case 'command':
      return passwordFromCommand(exec, source.command, options)
    case 'value':
      return answered(source.password)
    case 'environment': {
      const { RESTIC_PASSWORD_FILE: path, RESTIC_PASSWORD_COMMAND: command, RESTIC_PASSWORD: password } = process.env
      if (path) return passwordInFile(path)
      if (command) return passwordFromCommand(exec, command, options)
      return password ? answered(new Secret(password)) : failed({ kind: 'configuration', message: 'no repository password is given', fix: 'Set RESTIC_PASSWORD_FILE to a file that holds it' })
    }
  }
}

/** restic itself passes over blanks at both ends of what it reads. */
async function passwordInFile(path: string): Promise<Answer<Secret>> {
  try {
    return answered(new Secret((await readFile(path, 'utf8')).trim()))
  } catch (error) {
    return failed({ kind: 'configuration', message: `the password file ${path} cannot be read`, toolOutput: (error as Error).message, fix: 'Correct RESTIC_PASSWORD_FILE' })
  }
}

async function passwordFromCommand(exec: Exec, command: string, { signal }: CallOptions): Promise<Answer<Secret>> {
  const [file = '', ...args] = parseArgsStringToArgv(command)
  const result = await exec.run({ file, args, timeoutMs: commandLimitMs, ...(signal === undefined ? {} : { signal }) })
  const password = result.stdout.trim()
  if (result.exitCode === 0 && password !== '') return answered(new Secret(password))
  return failed({ kind: result.outcome === 'cancelled' ? 'cancelled' : 'configuration', message: 'the command that gives the repository password fails', toolOutput: result.startError ?? result.stderr, fix: 'Correct RESTIC_PASSWORD_COMMAND' })
}

/** See `Engine.byHand`. */
export function byHand(repository: string): readonly string[] {
  const restic = `restic -r ${shellWord(repository)} --password-file ${passwordName}`
  return [`${restic} check`, `${restic} snapshots`, `${restic} restore SNAPSHOT --target /`]
}
