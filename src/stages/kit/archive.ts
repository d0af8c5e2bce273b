import { buffer } from 'node:stream/consumers'
import { isUtf8 } from 'node:buffer'

import { StackbkError } from '../../errors.js'

/** One file of a kit; kits have no folders. */
export interface KitFile {
  readonly name: string
  readonly content: Uint8Array
}

/** The first line of every file in age format (age-encryption.org/v1). */
const ageHeader = 'age-encryption.org/v1'

export function isAgeFile(content: Uint8Array): boolean {
  return Buffer.from(content.subarray(0, ageHeader.length)).toString('latin1') === ageHeader
}

/** Throws `corrupt` (6) for what is not in age format, and so is not a kit. */
export function assertAgeFile(content: Uint8Array): void {
  if (!isAgeFile(content)) throw unusable('it is not a file in age format')
}

/** A plain tar, encrypted with a passphrase in age format: `age -d` and `tar -x` open it. */
export async function sealKit(files: readonly KitFile[], passphrase: string): Promise<Uint8Array> {
  const [{ pack }, { Encrypter }] = await Promise.all([import('tar-stream'), import('age-encryption')])
  const archive = pack()
  for (const { name, content } of files) archive.entry({ name, mode: 0o600 }, Buffer.from(content))
  archive.finalize()
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  return await encrypter.encrypt(await buffer(archive))
}

/** Throws `corrupt` (6) for a wrong passphrase, and for what is no kit or no longer a whole one. */
export async function openKit(content: Uint8Array, passphrase: string): Promise<readonly KitFile[]> {
  assertAgeFile(content)
  const [{ extract }, { Decrypter }] = await Promise.all([import('tar-stream'), import('age-encryption')])
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  let tar: Uint8Array
  try {
    tar = await decrypter.decrypt(content)
  } catch (error) {
    throw unusable(`it cannot be decrypted: ${error instanceof Error ? error.message : String(error)}`, 'Give the passphrase that the kit was written with; if it is the right one, the file is damaged')
  }
  const archive = extract()
  archive.end(Buffer.from(tar))
  const files: KitFile[] = []
  try {
    for await (const entry of archive) files.push({ name: entry.header.name, content: await buffer(entry) })
  } catch (error) {
    throw unusable(`its content is not a complete tar archive: ${error instanceof Error ? error.message : String(error)}`)
  }
  const strange = files.find(({ name }) => !/^[^/]+$/.test(name) || name === '.' || name === '..')
  if (strange !== undefined) throw unusable(`it holds a file that does not belong in a kit: ${strange.name}`)
  return files
}

/** The text of one file of a kit; `null` where the kit has no such file, or it is no text. */
export function textIn(files: readonly KitFile[], name: string): string | null {
  const file = files.find((candidate) => candidate.name === name)
  return file !== undefined && isUtf8(file.content) ? Buffer.from(file.content).toString('utf8') : null
}

export function unusable(detail: string, fix = 'Write a new one while this host still has its secrets: stackbk kit write FILE'): StackbkError {
  return new StackbkError({ kind: 'corrupt', code: 'kit-unusable', message: 'the repository cannot be restored with this kit', detail, fix })
}
