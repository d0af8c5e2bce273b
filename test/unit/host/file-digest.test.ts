import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, it } from 'vitest'

import { sha256OfFile } from '../../../src/host/file-digest.js'

const folder = mkdtempSync(join(tmpdir(), 'stackbk-digest-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const never = new AbortController().signal

describe('the digest of a file', () => {
  const kibibyte = 1024
  it.each([0, 1, 128 * kibibyte - 1, 128 * kibibyte, 128 * kibibyte + 1, 1152 * kibibyte, 1152 * kibibyte + 1, 3 * 1024 * kibibyte + 7])('is right for a file of %i bytes', async (bytes) => {
    const content = randomBytes(bytes)
    const path = join(folder, `file-${bytes}`)
    writeFileSync(path, content)
    expect(await sha256OfFile(path, never)).toBe(createHash('sha256').update(content).digest('hex'))
  })

  it('says that a file is not there', async () => {
    await expect(sha256OfFile(join(folder, 'nothing'), never)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('says that a folder is no file', async () => {
    await expect(sha256OfFile(folder, never)).rejects.toMatchObject({ code: 'EISDIR' })
  })

  it('ends at the signal, also while nothing comes', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const ending = new AbortController()
    const reading = sha256OfFile(pipe, ending.signal)
    ending.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    // Whoever opened it waits for a writer: let it go.
    writeFileSync(pipe, '')
  })

  it('reads nothing for a signal that has come already', async () => {
    await expect(sha256OfFile(join(folder, 'nothing'), AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  })
})
