import { createServer } from 'node:net'
import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { createExec } from '@stackbk/tool-runner'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'
import { Bench, canMount, freezerOf, tool, valueOf, type FileSystem, type Method } from './bench.js'

const kinds: readonly { readonly method: Method; readonly on: FileSystem }[] = [
  { method: 'btrfs', on: 'btrfs' },
  { method: 'reflink', on: 'xfs' },
  { method: 'reflink', on: 'btrfs' },
]

describe.skipIf(!canMount).each(kinds)('a copy made by $method on $on', ({ method, on }) => {
  let bench: Bench
  let point: string
  beforeAll(() => {
    bench = new Bench()
    point = bench.fileSystem(on)
  })
  afterAll(() => {
    bench.close()
  })

  /** A folder with one of everything that a file system can hold. */
  async function furnish(folder: string): Promise<void> {
    mkdirSync(join(folder, 'inner', 'deep'), { recursive: true })
    writeFileSync(join(folder, 'file'), 'content')
    tool('chown', '1234:4321', join(folder, 'file'), join(folder, 'inner'))
    chmodSync(join(folder, 'file'), 0o4750)
    linkSync(join(folder, 'file'), join(folder, 'inner', 'hard-link'))
    symlinkSync('../nowhere', join(folder, 'inner', 'link'))
    writeFileSync(join(folder, 'sparse'), 'begin')
    truncateSync(join(folder, 'sparse'), 50_000_000)
    writeFileSync(join(folder, 'unreadable'), 'x', { mode: 0 })
    writeFileSync(join(folder, '-rf\nodd "name" \u00e4'), 'odd')
    tool('mkfifo', join(folder, 'fifo'))
    tool('mknod', join(folder, 'device'), 'c', '1', '3')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 'listening'), resolve))
    // The server removes its own when it closes.
    tool('cp', '--archive', join(folder, 'listening'), join(folder, 'socket'))
    await new Promise((resolve) => server.close(resolve))
    tool('setfattr', '-n', 'user.note', '-v', 'kept', join(folder, 'file'))
    tool('setfattr', '-n', 'user.note', '-v', 'kept too', join(folder, 'inner'))
    tool('setfattr', '-n', 'trusted.note', '-v', 'kept as well', folder)
    tool('setfacl', '-m', 'u:2345:rwx', join(folder, 'file'))
    tool('setfacl', '-d', '-m', 'g:3456:r-x', join(folder, 'inner'))
    tool('setfacl', '-m', 'g:3456:r-x', folder)
    tool('touch', '-h', '--date=@1000000000.123456789', join(folder, 'inner', 'link'), join(folder, 'file'), join(folder, 'inner', 'deep'), join(folder, 'inner'))
    tool('touch', '--date=@1100000000.987654321', folder)
  }

  /** All that restic keeps of a tree, a line an entry. */
  function portrait(folder: string): string {
    const facts = tool('find', folder, '-mindepth', '0', '-name', '.stackbk-frozen', '-prune', '-o', '-printf', '%P %y %m %U:%G %s %n %T@ %l\\0')
      .split('\0')
      // The size of a folder is the file system's own affair.
      .map((line) => line.replace(/^(.*? d \S+ \S+) \d+ \d+/s, '$1'))
    const attributes = tool('getfattr', '-R', '-h', '-d', '-m', '-', '--absolute-names', folder).replaceAll(folder, '')
    return [...facts.toSorted(), ...attributes.split('\n\n').filter((block) => !block.includes('.stackbk-frozen')).toSorted()].join('\n')
  }

  test('holds owners, modes, times, links, holes, attributes, ACLs and special files', async () => {
    const folder = join(point, 'stack')
    mkdirSync(folder)
    await furnish(folder)
    const before = portrait(folder)
    expect(before).toContain('trusted.note')
    expect(before).toMatch(/socket s /)
    const freezer = await freezerOf(method)
    valueOf(await freezer.canFreeze([folder]))
    const copy = valueOf(await freezer.freeze([folder], { label: 'fidelity' }))
    const source = copy.bindMounts[0]?.source ?? ''
    expect(portrait(source)).toBe(before)
    expect(portrait(folder)).toBe(before)
    expect(readFileSync(join(source, '-rf\nodd "name" \u00e4'), 'utf8')).toBe('odd')
    expect(readlinkSync(join(source, 'inner', 'link'))).toBe('../nowhere')
    expect(lstatSync(join(source, 'file')).ino).toBe(lstatSync(join(source, 'inner', 'hard-link')).ino)
    expect(statSync(join(source, 'sparse')).blocks * 512).toBeLessThan(1_000_000)
    valueOf(await freezer.release(copy))
    expect(portrait(folder)).toBe(before)
    expect(tool('ls', '-A', point)).not.toContain('.stackbk-frozen')
  })

  test('of the whole file system does not hold itself, nor what an earlier run left', async () => {
    const own = new Bench()
    try {
      const folder = own.fileSystem(on)
      await furnish(folder)
      const before = portrait(folder)
      const freezer = await freezerOf(method)
      const left = valueOf(await freezer.freeze([folder], { label: 'left' }))
      valueOf(await freezer.canFreeze([folder]))
      const copy = valueOf(await freezer.freeze([folder], { label: 'second' }))
      const source = copy.bindMounts[0]?.source ?? ''
      expect(portrait(source)).toBe(before)
      expect(tool('find', source, '-path', `${source}/.stackbk-frozen/*`, '!', '-type', 'd')).toBe('')
      valueOf(await freezer.release(left))
      valueOf(await freezer.release(copy))
      expect(tool('find', folder, '-name', '*frozen*')).toBe('')
    } finally {
      own.close()
    }
  })

  test('can be of single files, of folders within others, and of a path that is named by a link', async () => {
    const folder = join(point, 'several')
    mkdirSync(join(folder, 'in', 'side'), { recursive: true })
    writeFileSync(join(folder, 'in', 'side', 'file'), 'inner')
    writeFileSync(join(folder, 'secret.env'), 'SECRET=1')
    mkdirSync(join(point, 'linked-to'))
    writeFileSync(join(point, 'linked-to', 'file'), 'behind a link')
    symlinkSync(join(point, 'linked-to'), join(point, 'link'))
    const freezer = await freezerOf(method)
    const copy = valueOf(await freezer.freeze([join(folder, 'in'), join(folder, 'in', 'side'), join(folder, 'secret.env'), `${join(point, 'link')}/`, join(folder, 'in')], { label: 'several' }))
    expect(copy.bindMounts.map(({ target }) => target).toSorted()).toEqual([join(folder, 'in'), join(folder, 'secret.env'), join(point, 'link')].toSorted())
    const at = (target: string): string => copy.bindMounts.find((mount) => mount.target === target)?.source ?? ''
    expect(readFileSync(at(join(folder, 'secret.env')), 'utf8')).toBe('SECRET=1')
    expect(readFileSync(join(at(join(folder, 'in')), 'side', 'file'), 'utf8')).toBe('inner')
    expect(readFileSync(join(at(join(point, 'link')), 'file'), 'utf8')).toBe('behind a link')
    valueOf(await freezer.release(copy))
  })

  test('is read by restic at the original path, while what is there changes', async () => {
    const folder = join(point, 'read-by-restic')
    mkdirSync(folder)
    for (const name of ['one', 'two', 'three']) writeFileSync(join(folder, name), name)
    const repository = join(bench.folder, `repository-${method}-${on}`)
    makeQuickRepository(repository, 'secret')
    const backup = async (bindMounts: readonly { source: string; target: string }[]): Promise<{ files_unmodified: number; files_changed: number; files_new: number }> => {
      const result = await createExec().run({
        file: 'restic',
        args: ['backup', '--json', '--no-cache', '--host=here', '--repo', repository, '--', folder],
        env: { RESTIC_PASSWORD: 'secret' },
        bindMounts,
      })
      expect(result.stderr).toBe('')
      return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
    }
    expect(await backup([])).toMatchObject({ files_new: 3 })
    const freezer = await freezerOf(method)
    writeFileSync(join(folder, 'three'), 'three, changed before')
    const copy = valueOf(await freezer.freeze([folder], { label: 'restic' }))
    writeFileSync(join(folder, 'one'), 'one, changed after')
    writeFileSync(join(folder, 'four'), 'made after')
    // A reflink copy consists of other files: all are read, none is new.
    expect(await backup(copy.bindMounts)).toMatchObject(method === 'btrfs' ? { files_unmodified: 2, files_changed: 1, files_new: 0 } : { files_unmodified: 0, files_changed: 3, files_new: 0 })
    valueOf(await freezer.release(copy))
    const restored = (name: string): string => tool('restic', '--no-cache', '--repo', repository, '--password-command=echo secret', 'dump', 'latest', join(folder, name))
    expect(restored('one')).toBe('one')
    expect(restored('three')).toBe('three, changed before')
    expect(() => restored('four')).toThrow()
  })
})
