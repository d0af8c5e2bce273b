import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { docker } from '../fixtures/compose-stack.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

const killer = fileURLToPath(new URL('../fixtures/kill-at-rename.mjs', import.meta.url))

/** Only root can mount. */
describe.runIf(process.getuid?.() === 0)('what a snapshot does not hold', () => {
  let world: World
  let stack: WorldStack
  let volume = ''
  const mounts: string[] = []

  const path = (...parts: string[]): string => join(stack.directory, ...parts)
  const put = (file: string, text: string): void => {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : 'gone')
  const mount = (folder: string): void => {
    mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder])
    mounts.push(folder)
  }
  const recover = (...args: string[]): Promise<{ exitCode: number; result: RecoverResult; stderr: string }> => world.json<RecoverResult>(['recover', 'keeper', ...args])

  beforeAll(async () => {
    // The names of folders above the stack and its volume leave out nothing of them.
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, 'stack:keeper': { EXCLUDE: 'media, *.mkv, volumes, stacks' } } })
    stack = await world.stack('keeper')
    volume = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_vol`)
    put(path('data/v'), 'good')
    put(path('data/nested/w'), 'good')
    put(join(volume, 'row'), 'good')
    mount(path('disk/inner'))
    put(path('disk/inner/held'), 'good')
    mount(join(volume, 'disk'))
    put(join(volume, 'disk/held'), 'good')
    chownSync(path('data'), 321, 123)
    chmodSync(path('data'), 0o2751)
    expect((await world.backup(['keeper'])).exitCode).toBe(0)
  })
  afterAll(async () => {
    await removeKept(world)
    for (const folder of mounts.reverse()) execFileSync('umount', ['-l', folder])
    await world.remove()
  })

  const breakIt = async (): Promise<void> => {
    await removeKept(world)
    for (const file of [path('data/v'), path('data/nested/w'), join(volume, 'row'), path('disk/inner/held'), join(volume, 'disk/held')]) put(file, 'broken')
    put(path('data/media/film'), 'kept')
    put(path('data/nested/b.mkv'), 'kept')
    put(path('since/deep/c.mkv'), 'kept')
    put(path('data/nested/since'), 'since')
    put(join(volume, 'media/film'), 'kept')
    rmSync(path('media'), { force: true })
    symlinkSync('data/media', path('media'))
    chmodSync(path('data'), 0o700)
  }
  const kept = (): readonly string[] => [path('data/media/film'), path('data/nested/b.mkv'), path('since/deep/c.mkv'), join(volume, 'media/film'), path('media/film')].map(read)
  const replaced = (): readonly string[] => [path('data/v'), path('data/nested/w'), join(volume, 'row'), path('disk/inner/held'), join(volume, 'disk/held')].map(read)
  const all = (text: string): readonly string[] => Array.from({ length: 5 }, () => text)
  const assertMounted = (): void => {
    for (const folder of mounts) expect(statSync(folder).dev, folder).not.toBe(statSync(dirname(folder)).dev)
  }
  const asideOf = ({ stacks }: RecoverResult): readonly string[] => (stacks[0]?.changes?.keptAside ?? []).flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => read(join(entry.parentPath, entry.name))))

  it('is listed in a dry run, which changes nothing', async () => {
    await breakIt()
    const { exitCode, result } = await recover('-n')
    expect(exitCode, JSON.stringify(result)).toBe(0)
    const { changes } = result.stacks[0]!
    expect(changes?.kept.map((one) => one.path)).toEqual(expect.arrayContaining([path('data/media'), path('data/nested/b.mkv'), path('since/deep/c.mkv'), join(volume, 'media'), path('media')]))
    expect(changes?.removed).toEqual([path('data/nested/since')])
    expect(changes?.replaced).toEqual(expect.arrayContaining([stack.directory, volume]))
    expect([replaced(), kept()]).toEqual([all('broken'), all('kept')])
  })

  it.each([['whole', []], ['written over', ['--overwrite']]])('stays in place, mounts too, when the stack is recovered %s, and the rest is kept aside', async (_, flags) => {
    await breakIt()
    const { exitCode, result } = await recover('--yes', ...flags)
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect([replaced(), kept()]).toEqual([all('good'), all('kept')])
    expect(await stack.running()).toEqual(['app', 'db'])
    const { uid, gid, mode } = statSync(path('data'))
    expect([uid, gid, mode & 0o7777]).toEqual([321, 123, 0o2751])
    expect(existsSync(path('data/nested/since'))).toBe(false)
    expect(asideOf(result)).toContain('since')
    assertMounted()
  })

  it('stays in place when only a folder is recovered', async () => {
    await breakIt()
    const { exitCode, result } = await recover('--path', 'data', '--yes')
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect([read(path('data/v')), read(path('disk/inner/held')), kept()]).toEqual(['good', 'broken', all('kept')])
    expect(await stack.running()).toEqual(['app', 'db'])
  })

  it('stays in place when the recovery is killed at any step, and resume leads out', async () => {
    for (const at of process.env['RECOVER_KILLS'] === 'all' ? Array.from({ length: 60 }, (_, index) => index + 1) : [6, 9]) {
      await breakIt()
      const killed = await world.run(['recover', 'keeper', '--yes'], { environment: { NODE_OPTIONS: `--import ${killer}`, STACKBK_TEST_KILL_AT_RENAME: String(at) } })
      expect(kept(), `killed at ${at}, before resume`).toEqual(all('kept'))
      if (killed.exitCode === 0) break
      expect((await world.resume()).exitCode, `killed at ${at}`).toBe(0)
      expect([all('good'), all('broken')], `killed at ${at}`).toContainEqual(replaced())
      expect(kept(), `killed at ${at}`).toEqual(all('kept'))
      expect(await stack.running(), `killed at ${at}`).toEqual(['app', 'db'])
      assertMounted()
    }
  }, 1_200_000)
})
