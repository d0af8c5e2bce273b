import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const files = ['/etc/machine-id', '/var/lib/dbus/machine-id']

/**
 * Returns an ID of this machine that stays the same across starts and changes with a new installation, or null where the system
 * has none. It is a hash for stackbk alone, because the system's own ID is not meant to be stored elsewhere (machine-id(5)).
 */
export function machineId(): string | null {
  for (const file of files) {
    const id = contentOf(file)
    if (/^[0-9a-f]{32}$/.test(id)) return createHash('sha256').update(`stackbk:${id}`).digest('hex').slice(0, 16)
  }
  return null
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
