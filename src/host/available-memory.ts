import { readFileSync } from 'node:fs'
import { freemem } from 'node:os'

/** Returns how many bytes of memory programs can still take without swapping, by the kernel's own estimate (MemAvailable). */
export function availableMemory(): number {
  return readAvailable(() => readFileSync('/proc/meminfo', 'utf8')) ?? freemem()
}

/** Returns the bytes of MemAvailable; `null` where there is none to read. */
export function readAvailable(read: () => string): number | null {
  try {
    const [, kibibytes] = /^MemAvailable:\s+(\d+) kB$/m.exec(read()) ?? []
    return kibibytes === undefined ? null : Number(kibibytes) * 1024
  } catch {
    return null
  }
}
