import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { compileFolder } from '../../../test/unit/compiled-source.js'
import { canMakeHangingMounts, makeHangingMount, type HangingMount } from '../../../test/fixtures/hanging-mount.js'
import { until } from '../../../test/fixtures/until.js'
import { Files, isUnknown } from '../src/files.js'

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code
const thrownBy = (call: () => unknown): unknown => {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('questions about files', () => {
  let folder: string
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'stackbk-files-')))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('are answered as by node:fs where the file system answers, and fail with its own codes', async () => {
    const files = new Files()
    const own = realpathSync(mkdtempSync(join(folder, 'own-')))
    writeFileSync(join(own, 'a file'), 'text')
    symlinkSync('a file', join(own, 'link'))
    const { dev, ino, size, mtimeMs } = statSync(join(own, 'a file'))
    expect(await files.stat(join(own, 'link'))).toMatchObject({ kind: 'file', dev, ino, size, mtimeMs })
    expect(files.lstatNow(join(own, 'link'))).toMatchObject({ kind: 'link' })
    expect(await files.realPath(join(own, 'link'))).toBe(join(own, 'a file'))
    expect(files.readTextNow(join(own, 'link'))).toBe('text')
    expect((await files.readFolder(own)).map(({ name, kind }) => `${name} ${kind}`).sort()).toEqual(['a file file', 'link link'])
    expect(codeOf(thrownBy(() => files.statNow(join(own, 'none'))))).toBe('ENOENT')
    expect(await files.isThere(join(own, 'none'))).toBe(false)
    expect(files.slowMountOf(join(own, 'link'))).toBeNull()
  })

  describe.skipIf(!canMakeHangingMounts)('where a file system may hang', () => {
    let mount: HangingMount
    const limitMs = 400
    beforeAll(async () => {
      mount = await makeHangingMount(join(folder, 'mnt with space'))
      symlinkSync(join(mount.path, 'file'), join(folder, 'into'))
      symlinkSync(join(folder, 'into'), join(folder, 'over'))
    })
    afterAll(async () => await mount.remove())

    test('are answered by a child process while it answers, with and without the event loop', async () => {
      const files = new Files()
      expect(files.slowMountOf(join(folder, 'over'))).toBe(mount.path)
      expect(files.slowMountOf(`${folder}/over/../../../${folder}/into`)).toBe(mount.path)
      expect(files.statNow(join(folder, 'over'))).toMatchObject({ kind: 'file', size: 8 })
      expect(await files.readText(join(mount.path, 'file'))).toBe('content\n')
      expect(await Promise.all(Array.from({ length: 20 }, () => files.realPath(join(folder, 'over'))))).toEqual(Array.from({ length: 20 }, () => join(mount.path, 'file')))
      expect(codeOf(thrownBy(() => files.statNow(join(mount.path, 'none'))))).toBe('ENOENT')
    })

    test('fail after the limit where it hangs, at once from then on, and work again once it answers', async () => {
      const files = new Files({ limitMs })
      await mount.hang()
      const begun = performance.now()
      const error = thrownBy(() => files.statNow(join(folder, 'into')))
      expect([codeOf(error), isUnknown(error)]).toEqual(['ETIMEDOUT', true])
      expect((error as Error).message).toContain(`the file system at ${mount.path} did not answer within 0.4 s`)
      expect(performance.now() - begun).toBeLessThan(10_000)
      // At once: a hundred of them take less than one limit.
      const again = performance.now()
      for (let count = 0; count < 100; count++) expect(codeOf(thrownBy(() => files.readFolderNow(mount.path)))).toBe('ETIMEDOUT')
      await expect(files.stat(join(mount.path, 'file'))).rejects.toThrow('does not answer')
      expect(performance.now() - again).toBeLessThan(limitMs)
      expect(files.isHanging(join(folder, 'over'))).toBe(true)
      expect(files.statNow(folder).kind).toBe('directory')
      await mount.answer()
      await until('it is known to answer again', () => !files.isHanging(mount.path))
      expect(files.statNow(mount.path).kind).toBe('directory')
    })

    test('of one file system that hangs do not hold up those of another one, nor those that answer on the same one', async () => {
      const files = new Files({ limitMs: 5_000 })
      const other = await makeHangingMount(join(folder, 'other'))
      try {
        // The kernel finds a file that it does not know yet only after the reading of its folder, whoever asks.
        await files.stat(join(mount.path, 'file'))
        await mount.hangInReadFolder()
        const hung = files.readFolder(mount.path).then(() => 'answered', codeOf)
        const begun = performance.now()
        expect((await files.stat(other.path)).kind).toBe('directory')
        expect((await files.stat(join(mount.path, 'file'))).kind).toBe('file')
        expect(performance.now() - begun).toBeLessThan(4_500)
        expect(await hung).toBe('ETIMEDOUT')
        expect((await files.readFolder(other.path)).map(({ name }) => name)).toEqual(['file'])
      } finally {
        await other.remove()
        await mount.answer()
      }
    })

    test('of many that hang cost one limit together', async () => {
      const others = await Promise.all([1, 2, 3].map((number) => makeHangingMount(join(folder, `many-${number}`))))
      try {
        for (const each of others) await each.hang()
        const files = new Files({ limitMs: 4_000 })
        const begun = performance.now()
        files.probeNow([folder, ...others.map(({ path }) => path)])
        for (const { path } of others) expect(codeOf(thrownBy(() => files.statNow(path)))).toBe('ETIMEDOUT')
        expect(performance.now() - begun).toBeLessThan(11_000)
      } finally {
        for (const each of others) await each.remove()
      }
    })

    test('go on with the threads of Node all held up by it', async () => {
      await mount.hang()
      const stuck = Array.from({ length: 8 }, () => stat(mount.path).catch(() => null))
      const files = new Files({ limitMs })
      const begun = performance.now()
      await expect(files.stat(mount.path)).rejects.toThrow('did not answer')
      expect((await files.stat(folder)).kind).toBe('directory')
      expect(performance.now() - begun).toBeLessThan(8_000)
      await mount.answer()
      await Promise.all(stuck)
    })

    test('know nothing of a path below a FUSE file system whose program has died', async () => {
      const dead = await makeHangingMount(join(folder, 'dead'))
      await dead.kill()
      const error = thrownBy(() => new Files().statNow(dead.path))
      expect([codeOf(error), isUnknown(error)]).toEqual(['ENOTCONN', true])
      await dead.remove()
    })

    test('leave a process behind neither in its end nor while it waits for an answer', async () => {
      await mount.hang()
      compileFolder(fileURLToPath(new URL('../src', import.meta.url)), join(folder, 'built/dist'))
      writeFileSync(join(folder, 'built/package.json'), '{"type":"module"}')
      symlinkSync(fileURLToPath(new URL('../programs', import.meta.url)), join(folder, 'built/programs'))
      const program = `import { Files } from ${JSON.stringify(join(folder, 'built/dist/files.js'))}
        const files = new Files({ limitMs: 300 })
        try { files.statNow(process.argv[1]) } catch (error) { console.log(error.code) }
        files.stat(process.argv[1]).catch((error) => console.log(error.code))`
      expect(execFileSync(process.execPath, ['--input-type=module', '-e', program, mount.path], { encoding: 'utf8', timeout: 15_000 })).toBe('ETIMEDOUT\nETIMEDOUT\n')
      await mount.answer()
    })
  })
})
