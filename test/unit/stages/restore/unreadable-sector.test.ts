import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterEach, describe, expect, it } from 'vitest'

import { matchesItsName } from '../../../../src/stages/restore/content-check.js'
import { at } from '../fixtures.js'

const mebibyte = 1024 * 1024
const mounted: string[] = []

function command(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: 'ignore' })
}

/** Whether a file system in a file can be mounted here. */
function mayMount(): boolean {
  try {
    command('mkfs.ext4', '-V')
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

afterEach(() => {
  for (const folder of mounted.splice(0)) command('umount', '-l', folder)
})

describe.runIf(mayMount())('a sector that cannot be read', () => {
  it('makes its file a corrupt one, and no error: the read gives EIO', async () => {
    const [image, disk] = [at('disk.img'), at('disk')]
    writeFileSync(image, '')
    truncateSync(image, 32 * mebibyte)
    command('mkfs.ext4', '-q', image)
    mkdirSync(disk)
    command('mount', '-o', 'loop', image, disk)
    const content = Buffer.alloc(12 * mebibyte, 'x')
    const names = [content, Buffer.from('small')].map((bytes) => createHash('sha256').update(bytes).digest('hex'))
    writeFileSync(join(disk, names[0]!), content)
    command('umount', disk)
    command('mount', '-o', 'loop', image, disk)
    mounted.push(disk)
    // The end of the disk is gone while it is in use.
    truncateSync(image, 9 * mebibyte)
    expect(() => readFileSync(join(disk, names[0]!))).toThrow(/EIO/)
    expect(await matchesItsName(join(disk, names[0]!), new AbortController().signal)).toBe(false)
  })
})
