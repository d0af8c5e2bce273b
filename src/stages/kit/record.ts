import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { writeFileAtomically } from '../../host/atomic-write.js'
import { ensureFolder } from '../../host/state-folder.js'
import type { KitContents } from './contents.js'

/** What this host remembers of its last kit. */
export interface KitRecord {
  /** ISO 8601 UTC. */
  readonly writtenAt: string
  readonly file: string
  /** When `kit check` last brought the repository back with it; `null`: never. */
  readonly checkedAt: string | null
  readonly salt: string
  /** SHA-256 over the salt and what lasts of what the kit holds: tells that a secret has changed, and nothing of what it is. */
  readonly fingerprint: string
}

export function kitRecord(path: string): KitRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as KitRecord
  } catch {
    return null
  }
}

export function rememberKit(path: string, kit: { readonly at: Date; readonly file: string; readonly contents: KitContents }): void {
  const salt = randomBytes(16).toString('hex')
  write(path, { writtenAt: kit.at.toISOString(), file: kit.file, checkedAt: null, salt, fingerprint: fingerprint(salt, kit.contents) })
}

/** Only where it is this host's own last kit that was checked. */
export function rememberKitCheck(path: string, check: { readonly at: Date; readonly writtenAt: string }): void {
  const record = kitRecord(path)
  if (record !== null && record.writtenAt === check.writtenAt) write(path, { ...record, checkedAt: check.at.toISOString() })
}

/** Whether what a kit would hold now is something else than what the last one holds. */
export function hasChanged(record: KitRecord, contents: KitContents): boolean {
  return fingerprint(record.salt, contents) !== record.fingerprint
}

function fingerprint(salt: string, { files, placed }: KitContents): string {
  const hash = createHash('sha256').update(salt)
  for (const { name, content, lasting = content } of files) hash.update(`\0${name}\0${lasting.length}\0`).update(lasting)
  return hash.update(JSON.stringify(placed)).digest('hex')
}

function write(path: string, record: KitRecord): void {
  ensureFolder(dirname(path))
  writeFileAtomically(path, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
}
