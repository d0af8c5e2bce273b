import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

import { vi } from 'vitest'

/** Puts a program named restic before the real one, for the running test. In its text `$restic` is the real one. */
export function wrapRestic(folder: string, script: string): void {
  const search = process.env['PATH'] ?? ''
  const real = search
    .split(delimiter)
    .map((directory) => join(directory, 'restic'))
    .find((path) => existsSync(path))
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const path = join(bin, 'restic')
  writeFileSync(path, `#!/bin/sh\nrestic='${real ?? 'restic'}'\n${script}\n`)
  chmodSync(path, 0o755)
  vi.stubEnv('PATH', `${bin}${delimiter}${search}`)
}
