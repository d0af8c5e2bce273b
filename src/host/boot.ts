import { readFileSync } from 'node:fs'

/** A new one at every start of the machine; empty where the kernel does not tell. PIDs mean something only together with it. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
