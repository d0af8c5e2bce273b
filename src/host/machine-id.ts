import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { writeFileAtomically } from './atomic-write.js'
import { ensureFolder, type StateFolder } from './state-folder.js'

const systemFiles = ['/etc/machine-id', '/var/lib/dbus/machine-id']

/**
 * Returns an ID of this machine that stays the same across starts and changes with a new installation. Where the system has none,
 * it is that of the state folder, or null while that has none either. It is a hash for stackbk alone, because the system's own ID
 * is not meant to be stored elsewhere (machine-id(5)).
 */
export function machineId(state: Pick<StateFolder, 'root'>, system: readonly string[] = systemFiles): string | null {
  for (const file of [...system, ownFile(state)]) {
    const id = contentOf(file)
    if (/^[0-9a-f]{32}$/.test(id)) return createHash('sha256').update(`stackbk:${id}`).digest('hex').slice(0, 16)
  }
  return null
}

/** Makes an ID in the state folder if neither the system nor that folder has one. Where it cannot be written, there is none. */
export function ensureMachineId(state: Pick<StateFolder, 'root'>, system: readonly string[] = systemFiles): void {
  if (machineId(state, system) !== null) return
  try {
    ensureFolder(state.root)
    writeFileAtomically(ownFile(state), `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 })
  } catch {
    // The next run tries again.
  }
}

function ownFile({ root }: Pick<StateFolder, 'root'>): string {
  return join(root, 'machine-id')
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
