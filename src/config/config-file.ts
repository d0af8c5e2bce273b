import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

import { StackbkError } from '../errors.js'
import { assertTrusted } from '../host/trust.js'

export type Environment = Readonly<Record<string, string | undefined>>

const mostBytes = 1024 ** 2

/** Where a configuration is looked for, and where it is. */
export interface ConfigurationPlace {
  readonly file: string
  /** Asked for by --config or $STACKBK_CONFIG: if it is missing, no other is taken for it. */
  readonly isNamed: boolean
  readonly exists: boolean
  /** All that was looked at, in order. */
  readonly candidates: readonly string[]
}

export interface ConfigurationText {
  readonly text: string
  /** Permission bits. */
  readonly mode: number
}

/** `--config`, else `$STACKBK_CONFIG`, else the user's, else the system's. Where there is none at all, `file` is where a new one belongs. */
export function findConfigurationFile(request: { file?: string | undefined; environment: Environment; systemFile?: string | undefined }): ConfigurationPlace {
  const named = request.file ?? nonEmpty(request.environment['STACKBK_CONFIG'])
  if (named !== undefined) {
    const file = resolve(named)
    return { file, isNamed: true, exists: existsSync(file), candidates: [file] }
  }
  const candidates = [join(userConfigurationFolder(request.environment), 'stackbk', 'config.ini'), request.systemFile ?? '/etc/stackbk/config.ini']
  const found = candidates.find((candidate) => existsSync(candidate))
  return { file: found ?? newConfigurationFile(candidates), isNamed: false, exists: found !== undefined, candidates }
}

/** Throws what a user can mend: missing, not readable, a folder, not UTF-8, far too large. Text and mode are of the same open file. */
export function readConfigurationFile(place: ConfigurationPlace): ConfigurationText {
  if (!place.exists) throw missing(place)
  assertTrusted('the configuration', place.file)
  let descriptor: number | null = null
  try {
    descriptor = openSync(place.file, 'r')
    const bytes = readAtMost(descriptor, mostBytes)
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), mode: fstatSync(descriptor).mode & 0o777 }
  } catch (error) {
    const isText = (error as NodeJS.ErrnoException).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA'
    throw new StackbkError({
      kind: 'configuration',
      code: 'config-unreadable',
      message: `the configuration ${place.file} cannot be read`,
      detail: isText ? reasonOf(error) : 'it is not UTF-8 text',
      fix: isText ? 'Check its path, and that this user may read it.' : 'Save it as UTF-8.',
    })
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

/** Also of a pipe (`--config <(...)`) or a device, which has no size. Throws for more. */
function readAtMost(descriptor: number, most: number): Uint8Array {
  const bytes = new Uint8Array(most + 1)
  let length = 0
  for (;;) {
    const read = readSync(descriptor, bytes, length, bytes.length - length, null)
    length += read
    if (length > most) throw new Error(`it is larger than ${most / 1024} KiB, which no configuration is`)
    if (read === 0) return bytes.subarray(0, length)
  }
}

export function homeFolder(environment: Environment): string {
  return nonEmpty(environment['HOME']) ?? homedir()
}

/** The system's own words for a failed call. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function userConfigurationFolder(environment: Environment): string {
  const folder = nonEmpty(environment['XDG_CONFIG_HOME'])
  // The XDG specification has relative paths ignored.
  return folder?.startsWith('/') ? folder : join(homeFolder(environment), '.config')
}

/** root's is the system's: the timer's unit finds it there whatever its environment. */
function newConfigurationFile(candidates: readonly string[]): string {
  const [user = '', system = ''] = candidates
  return process.getuid?.() === 0 ? system : user
}

function missing(place: ConfigurationPlace): StackbkError {
  return new StackbkError({
    kind: 'configuration',
    code: 'config-missing',
    message: place.isNamed ? `the configuration ${place.file} does not exist` : 'there is no configuration',
    detail: place.isNamed ? 'it is named by --config or $STACKBK_CONFIG, so no other one is used' : `looked for ${place.candidates.join(' and ')}`,
    fix: place.isNamed ? 'Check the path, or write a new one there with: stackbk config init' : 'Write one with: stackbk config init',
  })
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
