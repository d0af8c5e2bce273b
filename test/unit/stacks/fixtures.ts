import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach } from 'vitest'

import { StackbkError } from '../../../src/errors.js'
import type { DirlistPlace } from '../../../src/stacks/dirlist.js'

/** A folder of the test's own, gone after it. */
export const world = { folder: '' }

beforeEach(() => {
  world.folder = mkdtempSync(join(tmpdir(), 'stackbk-stacks-'))
  mkdirSync(at('stacks'))
})

afterEach(() => {
  rmSync(world.folder, { recursive: true, force: true })
})

export function at(path: string): string {
  return join(world.folder, path)
}

export function place(): DirlistPlace {
  return { file: at('dirlist'), stacksDirectory: at('stacks') }
}

/** A folder with a compose file; below `stacks` unless the path says otherwise. */
export function stack(path: string, composeFile = 'compose.yaml'): string {
  const folder = path.startsWith('/') ? path : at(`stacks/${path}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, composeFile), 'services: {}\n')
  return folder
}

export function writeDirlist(text: string): void {
  writeFileSync(at('dirlist'), text)
}

export function dirlistText(): string {
  return readFileSync(at('dirlist'), 'utf8')
}

export async function errorOf(act: () => unknown): Promise<StackbkError> {
  try {
    await act()
  } catch (error) {
    if (error instanceof StackbkError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
