import { readFile } from 'node:fs/promises'

import { answered, failed, isSecret, type Answer, type SettingValue, type SettingValues } from '@stackbk/contract'

/** Where a secret from the file goes in an address or a header. */
const mark = '{secret}'

/** A setting's text, a secret's in the clear. Empty for none. */
export function clearText(value: SettingValue | undefined): string {
  if (isSecret(value)) return value.reveal()
  return typeof value === 'string' ? value : ''
}

/** What `SECRET_FILE` holds, without its last newline; empty where none is named. */
export async function secretFrom(values: SettingValues): Promise<Answer<string>> {
  const path = clearText(values['SECRET_FILE'])
  if (path === '') return answered('')
  try {
    const secret = (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
    if (secret !== '') return answered(secret)
    return failed({ kind: 'configuration', message: `SECRET_FILE names ${path}, which is empty`, fix: 'Put the password or token, alone, into it' })
  } catch (error) {
    return failed({ kind: 'configuration', message: 'SECRET_FILE names a file that cannot be read', toolOutput: error instanceof Error ? error.message : String(error), fix: 'Check its path, and that this user may read it' })
  }
}

/** The text with the secret in its place, and whether there was one. */
export function withSecret(text: string, secret: string, encode: (secret: string) => string = (plain) => plain): { readonly text: string; readonly isPlaced: boolean } {
  return { text: text.replaceAll(mark, () => encode(secret)), isPlaced: text.includes(mark) }
}

/** None of these shows in what is told of a failure. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret.length >= 4).reduce((shown, secret) => shown.replaceAll(secret, '********'), text)
}
