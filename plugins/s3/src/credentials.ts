import { readFile } from 'node:fs/promises'

import { answered, failed, isSecret, Secret, type Answer, type SettingValues } from '@stackbk/contract'

import { textOf } from './place.js'

/** An access key, from the configuration or its file. */
export interface AccessKey {
  readonly id: string
  readonly secret: Secret
}

export function isKeyConfigured(values: SettingValues): boolean {
  return ['ACCESS_KEY_ID', 'SECRET_FILE', 'SECRET_ACCESS_KEY'].some((key) => values[key] !== null && values[key] !== undefined && values[key] !== '')
}

/** The one that is configured. Its file is read anew each time: it may be renewed. */
export async function accessKeyOf(values: SettingValues): Promise<Answer<AccessKey>> {
  const id = textOf(values['ACCESS_KEY_ID'])
  const [file, given] = [textOf(values['SECRET_FILE']), values['SECRET_ACCESS_KEY']]
  if (file !== null) return fromFile(file, id)
  if (isSecret(given)) {
    if (id === null) return failed({ kind: 'configuration', message: 'SECRET_ACCESS_KEY is set and ACCESS_KEY_ID is not', fix: 'Set ACCESS_KEY_ID in [plugin:s3]' })
    return answered({ id, secret: given })
  }
  return failed({ kind: 'configuration', message: 'ACCESS_KEY_ID is set and its secret is not', fix: 'Set SECRET_FILE or SECRET_ACCESS_KEY in [plugin:s3]' })
}

async function fromFile(file: string, id: string | null): Promise<Answer<AccessKey>> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    return failed({ kind: 'configuration', message: `SECRET_FILE cannot be read: ${file}`, toolOutput: error instanceof Error ? error.message : String(error), fix: 'Correct SECRET_FILE in [plugin:s3]' })
  }
  if (id !== null && text !== '' && !/\s/.test(text)) return answered({ id, secret: new Secret(text.startsWith(`${id}:`) ? text.slice(id.length + 1) : text) })
  const [, named = '', secret = ''] = /^([^:\s]+):(\S+)$/.exec(text) ?? []
  if (id === null && named !== '') return answered({ id: named, secret: new Secret(secret) })
  return failed({
    kind: 'configuration',
    message: `SECRET_FILE does not hold a secret in one line: ${file}`,
    fix: id === null ? 'Set ACCESS_KEY_ID in [plugin:s3], or write ACCESS_KEY_ID:SECRET into the file' : 'Write the secret of the access key into it, and nothing else',
  })
}
