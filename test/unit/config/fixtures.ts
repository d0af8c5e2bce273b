import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { type AnyDescriptor, CONTRACT_VERSION, type SettingDeclaration } from '@stackbk/contract'
import { afterEach, beforeEach } from 'vitest'

import { type Configuration, type ConfigurationRequest, loadConfiguration } from '../../../src/config/configuration.js'
import { StackbkError } from '../../../src/errors.js'

/** A folder of the test's own, gone after it. */
export const world = { folder: '' }

beforeEach(() => {
  world.folder = mkdtempSync(join(tmpdir(), 'stackbk-config-'))
})

afterEach(() => {
  rmSync(world.folder, { recursive: true, force: true })
})

export function at(path: string): string {
  return join(world.folder, path)
}

export function write(path: string, text: string | Uint8Array, mode = 0o600): string {
  const file = at(path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

function descriptor(kind: AnyDescriptor['kind'], id: string, settings: readonly SettingDeclaration[]): AnyDescriptor {
  return { kind, id, apiVersion: CONTRACT_VERSION, title: id, settings, create: () => Promise.reject(new Error('not in this test')) } as AnyDescriptor
}

export const restic = descriptor('engine', 'restic', [
  { section: 'local_backup', key: 'RESTIC_REPOSITORY', aliases: ['REPOSITORY'], type: 'string', required: true, help: 'where the repository is' },
  { section: 'local_backup', key: 'RESTIC_PASSWORD_FILE', aliases: ['PASSWORD_FILE'], type: 'path', credential: true, oneOf: 'password', help: 'password file' },
  { section: 'local_backup', key: 'RESTIC_PASSWORD_COMMAND', aliases: ['PASSWORD_COMMAND'], type: 'string', oneOf: 'password', help: 'password command' },
  { section: 'local_backup', key: 'RESTIC_PASSWORD', aliases: ['PASSWORD'], type: 'string', secret: true, oneOf: 'password', help: 'password' },
])

export const rclone = descriptor('transport', 'rclone', [
  { section: 'cloud_sync', key: 'RCLONE_REMOTE', aliases: ['REMOTE'], type: 'string', required: true, help: 'the remote' },
  { section: 'cloud_sync', key: 'RCLONE_PATH', aliases: ['PATH'], flatAliases: ['RCLONE_BACKUP_PATH'], type: 'string', default: '/backup/restic', help: 'path on the remote' },
  { section: 'cloud_sync', key: 'RCLONE_CONFIG', type: 'path', help: "rclone's configuration" },
  { section: 'cloud_sync', key: 'TRANSFERS', aliases: ['RCLONE_TRANSFERS'], type: 'integer', default: 4, range: { min: 1, max: 64 }, help: 'parallel transfers' },
  { section: 'cloud_sync', key: 'BANDWIDTH', aliases: ['RCLONE_BANDWIDTH'], type: 'string', help: 'limit' },
])

export const webhook = descriptor('notifier', 'webhook', [
  { section: 'notify', key: 'TEMPLATE', type: 'path', help: 'template' },
  { section: 'notify', key: 'HEADERS', type: 'list', help: 'headers' },
])

export const ping = descriptor('notifier', 'ping', [
  { section: 'notify', key: 'URL', type: 'string', secret: true, required: true, pattern: { matches: '^https?://', inWords: 'an address that begins with http:// or https://' }, help: 'the address' },
])

export const descriptors: readonly AnyDescriptor[] = [restic, rclone, webhook, ping]

/** From a text, as `config.ini` in the test's folder. */
export function load(text: string, request: Partial<ConfigurationRequest> & { readonly mode?: number } = {}): Configuration {
  const { mode, ...more } = request
  return loadConfiguration({ file: write('config.ini', text, mode), environment: { HOME: '/home/ann' }, descriptors, ...more })
}

export function errorOf(act: () => unknown): StackbkError {
  try {
    act()
  } catch (error) {
    if (error instanceof StackbkError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
