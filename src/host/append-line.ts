import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'

/**
 * Adds one line to a file of ours (mode 0600), in one write, so that lines of two processes never mix. Lines survive our
 * own death at once, since they are the kernel's from then on; with `durable` a power cut too. After a line that was cut short
 * a new one begins. Throws the system's error where the disk is full, and leaves no half a line there.
 */
export function appendLine(path: string, line: string, durable = false): void {
  const file = openSync(path, 'a+', 0o600)
  try {
    writeWhole(file, Buffer.from(`${endsWithinLine(file) ? '\n' : ''}${line}\n`))
    if (durable) fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A disk that becomes full takes a part and says nothing: it is the next write that fails. */
function writeWhole(file: number, bytes: Buffer): void {
  const before = fstatSync(file).size
  const written = writeSync(file, bytes)
  if (written === bytes.length) return
  try {
    writeSync(file, bytes, written)
  } catch (error) {
    if (fstatSync(file).size === before + written) ftruncateSync(file, before)
    throw error
  }
}

function endsWithinLine(file: number): boolean {
  const { size } = fstatSync(file)
  const last = new Uint8Array(1)
  return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a
}
