import { statSync } from 'node:fs'

import { isSecret, type Failure, type Secret, type SettingValues } from '@stackbk/contract'

/** How restic learns the password: its own three variables, of which one is set, or all are inherited as they are. */
export type PasswordSource =
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'command'; readonly command: string }
  | { readonly from: 'value'; readonly password: Secret }
  | { readonly from: 'environment' }

/** The first that is given counts. */
export function passwordSourceOf(values: SettingValues): PasswordSource {
  const { RESTIC_PASSWORD_FILE: path, RESTIC_PASSWORD_COMMAND: command, RESTIC_PASSWORD: password } = values
  if (typeof path === 'string') return { from: 'file', path }
  if (typeof command === 'string') return { from: 'command', command }
  if (isSecret(password)) return { from: 'value', password }
  return { from: 'environment' }
}

/** The variables for restic. One that is configured must not meet another that happens to be in the environment: restic prefers the file. */
export function passwordEnvironment(source: PasswordSource): Readonly<Record<string, string | Secret | undefined>> {
  const none = { RESTIC_PASSWORD: undefined, RESTIC_PASSWORD_FILE: undefined, RESTIC_PASSWORD_COMMAND: undefined }
  switch (source.from) {
    case 'file':
      return { ...none, RESTIC_PASSWORD_FILE: source.path }
    case 'command':
      return { ...none, RESTIC_PASSWORD_COMMAND: source.command }
    case 'value':
      return { ...none, RESTIC_PASSWORD: source.password }
    case 'environment':
      return {}
  }
}

/** What can be told of the password without asking the repository; `null` when nothing is wrong. The file is not read: it may be a pipe. */
export function passwordProblem(source: PasswordSource): Failure | null {
  switch (source.from) {
    case 'file':
      return fileProblem(source.path)
    case 'command':
      return null
    case 'value':
      return source.password.reveal() === '' ? emptyPassword : null
    case 'environment':
      return environmentProblem()
  }
}

const emptyPassword: Failure = {
  kind: 'configuration',
  message: 'the repository password is empty',
  fix: 'Set RESTIC_PASSWORD_FILE to a file that holds it',
}

function environmentProblem(): Failure | null {
  const { RESTIC_PASSWORD_FILE: path, RESTIC_PASSWORD_COMMAND: command, RESTIC_PASSWORD: password } = process.env
  if (path) return fileProblem(path)
  if (command || password) return null
  return { kind: 'configuration', message: 'no repository password is given', fix: 'Set RESTIC_PASSWORD_FILE to a file that holds it' }
}

function fileProblem(path: string): Failure | null {
  try {
    const file = statSync(path)
    if (file.isDirectory()) {
      return { kind: 'configuration', message: `the password file ${path} is a folder`, fix: 'Set RESTIC_PASSWORD_FILE to a file' }
    }
    if (file.isFile() && file.size === 0) {
      return { kind: 'configuration', message: `the password file ${path} is empty`, fix: 'Write the repository password into it' }
    }
    return null
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return {
      kind: 'configuration',
      message: isMissing
        ? `the password file ${path} does not exist`
        : `the password file ${path} cannot be looked at: ${(error as Error).message}`,
      fix: 'Correct RESTIC_PASSWORD_FILE, or bring the file back',
    }
  }
}
