import { basename, join, resolve } from 'node:path'

import { files, type FolderEntry } from '@stackbk/tool-runner/files'

import type { Problem } from '../errors.js'
import type { Stack } from './identity.js'

/** What makes a folder a stack, in Compose's own order of preference (compose-go, DefaultFileNames). */
export const composeFileNames = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'] as const

/**
 * - `gone`: there is nothing under this path
 * - `unreachable`: there is something, and it cannot be looked into: a link to nowhere, a folder of another user, a file system
 *   that does not answer
 * - `no-compose-file`: a folder, and no stack; an empty one may be a mount point
 */
export type Absence = 'gone' | 'unreachable' | 'no-compose-file'

export type Look = { readonly stack: Stack } | { readonly stack: null; readonly absence: Absence; readonly reason: string }

export interface Discovery {
  readonly directory: string
  /** By name. */
  readonly stacks: readonly Stack[]
  /** `populated`: at least one stack is there. In the other cases nothing may be concluded from what is not there: a disk may be unmounted. */
  readonly state: 'populated' | 'without-stacks' | 'missing'
  /** Why it is missing; empty otherwise. */
  readonly reason: string
  /** Folders that could not be looked into. */
  readonly problems: readonly Problem[]
}

/** The stacks right below this folder, linked ones too. Reads folders, and `.env` where no usual compose file is; never a compose file. */
export function discoverStacks(directory: string): Discovery {
  let entries: readonly FolderEntry[]
  try {
    entries = files.readFolderNow(directory)
  } catch (error) {
    return { directory, stacks: [], state: 'missing', reason: String((error as Error).message), problems: [] }
  }
  files.probeNow(entries.map(({ name }) => join(directory, name)))
  const names = entries.filter(({ kind }) => kind !== 'file').map(({ name }) => name)
  const looks = [...new Set(names)].map((name) => ({ name, look: lookForStack(join(directory, name), false) }))
  const stacks = looks.flatMap(({ look }) => (look.stack ? [look.stack] : [])).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const unreachables = looks.flatMap(({ name, look }) => (look.stack === null && look.absence === 'unreachable' ? [unreachable(name, look.reason)] : []))
  // Node puts this character in the place of bytes that are not UTF-8: such a folder is listed, and is not there or is another one.
  const notUtf8s = looks.filter(({ name, look }) => name.includes('\ufffd') && (('absence' in look && look.absence === 'gone') || names.filter((other) => other === name).length > 1)).map(({ name }) => notUtf8(name))
  const problems = [...unreachables, ...notUtf8s]
  return { directory, stacks, state: stacks.length > 0 ? 'populated' : 'without-stacks', reason: '', problems }
}

/** Whether a stack is at this path, and if not, why. */
export function lookForStack(entryPath: string, isExternal: boolean): Look {
  try {
    if (files.statNow(entryPath).kind !== 'directory') return { stack: null, absence: 'no-compose-file', reason: 'it is not a folder' }
    const names = new Set(files.readFolderNow(entryPath).map(({ name }) => name))
    const isFile = (name: string): boolean => files.statNow(resolve(entryPath, name)).kind === 'file'
    const composeFile = composeFileNames.find((name) => names.has(name) && isFile(name)) ?? (names.has('.env') && isFile('.env') ? namedFile(entryPath) : undefined)
    if (composeFile === undefined) return { stack: null, absence: 'no-compose-file', reason: 'it holds no compose file' }
    return { stack: { name: basename(entryPath), directory: files.realPathNow(entryPath), entryPath, isExternal, composeFile } }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && !isThere(entryPath)) return { stack: null, absence: 'gone', reason: 'there is no such folder' }
    return { stack: null, absence: 'unreachable', reason: code === 'ENOENT' ? 'it is a broken link' : message }
  }
}

/** Returns the first file that `COMPOSE_FILE` in the folder's `.env` names, if it is there: Compose takes it in place of the usual ones. */
function namedFile(entryPath: string): string | undefined {
  let content: string
  try {
    content = files.readTextNow(join(entryPath, '.env'))
  } catch {
    // Of another user: Compose could not read it either.
    return undefined
  }
  const variables = new Map([...content.matchAll(/^[ \t]*(?:export[ \t]+)?(COMPOSE_FILE|COMPOSE_PATH_SEPARATOR)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\n#]*?))[ \t\r]*(?:[ \t]#.*)?$/gm)].map(([, name, ...values]) => [name, values.find((value) => value !== undefined) ?? '']))
  const first = variables.get('COMPOSE_FILE')?.split(variables.get('COMPOSE_PATH_SEPARATOR') || ':')[0]
  if (first === undefined || first === '') return undefined
  const path = resolve(entryPath, first)
  return isThere(path) && files.statNow(path).kind === 'file' ? first : undefined
}

/** Also a link to nowhere is something. */
export function isThere(path: string): boolean {
  try {
    files.lstatNow(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

function notUtf8(name: string): Problem {
  return {
    severity: 'warning',
    code: 'folder-not-utf8',
    message: `cannot look into '${name}' in the stacks folder: its name is not UTF-8`,
    fix: 'If it is a stack, rename the folder, and keep the project name by `name:` in the compose file.',
  }
}

function unreachable(name: string, reason: string): Problem {
  return {
    severity: 'warning',
    code: 'folder-unreachable',
    message: `cannot look into '${name}' in the stacks folder: ${reason}`,
    fix: 'Check its permissions, and that what it points to is mounted.',
  }
}
