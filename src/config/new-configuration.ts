import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, linkSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

import type { AnyDescriptor } from '@stackbk/contract'

import { type Problem, StackbkError } from '../errors.js'
import { writeFileAtomically } from '../host/atomic-write.js'
import { makeFolder } from '../host/make-folder.js'
import { type Environment, reasonOf } from './config-file.js'
import { checkConfiguration } from './configuration.js'
import { writeValue } from './ini-file.js'

export interface NewConfigurationRequest {
  readonly output: string
  readonly stacksDirectory?: string | undefined
  readonly repository?: string | undefined
  readonly passwordFile?: string | undefined
  readonly generatePassword: boolean
  readonly remote?: string | undefined
  readonly remotePath?: string | undefined
  readonly force: boolean
  readonly environment: Environment
  readonly descriptors: readonly AnyDescriptor[]
}

export interface NewConfiguration {
  readonly file: string
  /** Where the configuration that was there is kept; `null` where there was none. */
  readonly previous: string | null
  readonly passwordFile: string
  readonly isPasswordNew: boolean
  readonly problems: readonly Problem[]
}

/**
 * Writes a first configuration, mode 0600, and with `generatePassword` a file with a new random password. Throws (exit 2)
 * before anything is written: it would not be a right one, or something is there already. A password file is never
 * overwritten: what it opens would be lost.
 */
export function writeNewConfiguration(request: NewConfigurationRequest): NewConfiguration {
  const file = resolve(request.output)
  const { repository } = request
  if (repository === undefined) {
    throw wrongUse('repository-missing', 'no repository given', 'Give --repository PATH, with --generate-password or --password-file FILE.')
  }
  if (existsSync(file) && !request.force) throw alreadyThere(file)
  const passwordFile = resolve(request.passwordFile ?? join(dirname(file), 'repository-password'))
  if (request.passwordFile === undefined && !request.generatePassword) {
    throw wrongUse('password-missing', 'no repository password given', 'Give --password-file FILE, or --generate-password for a new one.')
  }
  if (request.generatePassword && existsSync(passwordFile)) {
    throw wrongUse('password-exists', `the password file ${passwordFile} exists already, and is never overwritten`, 'Leave out --generate-password to use it, or name another file.')
  }
  if ([repository, passwordFile, request.stacksDirectory, request.remote, request.remotePath].some((value) => /[\r\n\0]/.test(value ?? ''))) {
    throw wrongUse('value-with-line-break', 'a value with a line break cannot stand in a configuration', 'Name a path without one.')
  }
  const text = configurationText({ ...request, repository, passwordFile })
  const { problems } = checkConfiguration({
    file,
    exists: true,
    text,
    mode: 0o600,
    environment: request.environment,
    descriptors: request.descriptors,
    needs: ['stacks', 'repository', ...(request.generatePassword ? [] : (['password'] as const)), ...(request.remote === undefined ? [] : (['remote'] as const))],
  })

  if (request.generatePassword) writeNewPassword(passwordFile)
  return { file, previous: putConfiguration(file, text), passwordFile, isPasswordNew: request.generatePassword, problems }
}

/**
 * Puts a whole configuration in place, mode 0600 where it is new, its folder made if need be. Unless it is only an edit of
 * the one that is there, that one is kept beside it: gives the path of that, or `null`.
 */
export function putConfiguration(file: string, text: string, options: { readonly isEdit: boolean } = { isEdit: false }): string | null {
  try {
    makeFolder(dirname(file))
    const previous = options.isEdit ? null : keepAside(file)
    writeFileAtomically(file, text, { mode: 0o600 })
    return previous
  } catch (error) {
    throw new StackbkError({
      kind: 'failed',
      code: 'config-not-written',
      message: `the configuration ${file} cannot be written, and is as it was`,
      detail: reasonOf(error),
      fix: 'Check the permissions of its folder, and the space on its disk.',
    })
  }
}

export function alreadyThere(file: string): StackbkError {
  return wrongUse('config-exists', `there is a configuration already: ${file}`, 'Give --force to replace it (the old one is kept beside it), or another file with --output.')
}

function wrongUse(code: string, message: string, fix: string): StackbkError {
  return new StackbkError({ kind: 'usage', code, message, fix })
}

/** `FILE.old`, or the first of `FILE.old.1`, ... that is free. */
function keepAside(file: string): string | null {
  const before = statSync(file, { throwIfNoEntry: false })
  if (before === undefined) return null
  for (let number = 0; ; number++) {
    const previous = number === 0 ? `${file}.old` : `${file}.old.${number}`
    if (existsSync(previous)) continue
    copyFileSync(file, previous)
    return previous
  }
}

/** Whole under its name or not there, and never over another: a link fails where something is. */
function writeNewPassword(file: string): void {
  const temporary = `${file}.${process.pid}.new`
  try {
    makeFolder(dirname(file))
    writeFileAtomically(temporary, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
    linkSync(temporary, file)
  } catch (error) {
    throw new StackbkError({
      kind: 'failed',
      code: 'password-not-written',
      message: `the password file ${file} cannot be written`,
      detail: reasonOf(error),
      fix: 'Check the permissions of its folder, and the space on its disk.',
    })
  } finally {
    if (existsSync(temporary)) rmSync(temporary)
  }
}

function configurationText(request: NewConfigurationRequest & { readonly repository: string; readonly passwordFile: string }): string {
  const { stacksDirectory, remote, remotePath } = request
  const name = (section: string, alias: string): string => keyCalled(request.descriptors, section, alias)
  const line = (key: string, value: string | undefined, otherwise: string): string => (value === undefined ? `#${key}=${otherwise}` : `${key}=${writeValue(value)}`)
  return `# stackbk: which stacks, where to, what is kept. All keys with their values: stackbk config show
# Lines that begin with # show a default. Check a change with: stackbk config check

[docker]
# The folder with one folder a stack. Which of them are saved: stackbk dirlist list
${line('DOCKER_STACKS_DIR', stacksDirectory === undefined ? undefined : resolve(stacksDirectory), '/opt/docker-stacks')}
# Least grace that a container gets before it is killed
#DOCKER_TIMEOUT=300s
# auto, down, stop, pause, none
#STOP_MODE=auto

[local_backup]
# The repository that snapshots go to. Keep it on another disk than the stacks
${name('local_backup', 'REPOSITORY')}=${writeValue(placeOf(request.repository))}
# The password alone in a file. Without it nothing can be restored: keep a copy of it elsewhere
${name('local_backup', 'PASSWORD_FILE')}=${writeValue(request.passwordFile)}
# How many snapshots of each stack are kept
#KEEP_WITHIN=48h
#KEEP_LAST=0
#KEEP_DAILY=7
#KEEP_WEEKLY=4
#KEEP_MONTHLY=6
#KEEP_YEARLY=2

[cloud_sync]
# The remote that the repository is copied to, and the path on it
${line(name('cloud_sync', 'REMOTE'), remote, 'NAME')}
${line(name('cloud_sync', 'PATH'), remotePath, '/backup/restic')}
`
}

/** What the provider at hand calls the key that the documentation knows by this alias; the alias itself without one. */
function keyCalled(descriptors: readonly AnyDescriptor[], section: string, alias: string): string {
  const declarations = descriptors.flatMap(({ settings }) => settings)
  return declarations.find((declaration) => declaration.section === section && declaration.aliases?.includes(alias))?.key ?? alias
}

/** A folder as an absolute path, anything with a scheme (`sftp:`, `rest:`, `s3:`) as it is. */
function placeOf(repository: string): string {
  return /^[a-z0-9]+:/i.test(repository) ? repository : resolve(repository)
}
