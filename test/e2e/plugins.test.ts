import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import type { DoctorResult } from '../../src/stages/doctor.js'
import type { PluginsResult } from '../../src/stages/plugins.js'
import { type Ended, makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

/** Plugins as nobody should write them, by name: what their hooks are. */
const bad: Readonly<Record<string, { readonly providers: string; readonly hooks?: Readonly<Record<string, string>>; readonly packageName?: string }>> = {
  'bad-import': { providers: 'throw new Error("at its import")' },
  'bad-throws': { providers: 'export default () => { throw new Error("in its hook") }' },
  'bad-waits-for-nothing': { providers: 'export default () => new Promise(() => {})' },
  'bad-waits-at-import': { providers: 'await new Promise(() => {})' },
  'bad-never-ends': { providers: 'export default () => new Promise(() => setInterval(() => {}, 1000))' },
  'bad-exits': { providers: 'export default () => process.exit(0)' },
  'bad-prints': { providers: 'console.log("hello from an import"); export default () => { console.log("hello from a hook"); return [] }' },
  'bad-nonsense': { providers: 'export default () => ["restic", null, { kind: "engine" }]' },
  'bad-settings': { providers: 'export default () => [{ kind: "transport", id: "odd", apiVersion: 1, title: "odd", settings: [null], create() {} }]' },
  'bad-newer': { providers: 'export default () => [{ kind: "transport", id: "newer", apiVersion: 2, title: "newer", settings: [], create() {} }]' },
  'bad-twin': { providers: 'export default () => [{ kind: "engine", id: "restic", apiVersion: 1, title: "another", settings: [], create() { throw new Error("not this one") } }]' },
  'bad-freezer': { providers: 'export default () => [{ kind: "freezer", id: "ice", apiVersion: 1, title: "ice", settings: [], create: () => { throw new Error("no ice") } }]' },
  'bad-every-call': {
    providers: 'export default () => []',
    hooks: { init: 'export default () => process.exit(0)', prerun: 'export default () => new Promise(() => {})', postrun: 'export default function () { this.error("no") }', command_not_found: 'export default () => {}' },
  },
  'bad-listener': { providers: 'export default () => []', hooks: { 'stackbk:event': 'export default () => { setTimeout(() => { throw new Error("nobody catches this") }, 1); throw new Error("it wants no event") }' } },
  'bad-listener-waits': { providers: 'export default () => []', hooks: { 'stackbk:event': 'export default () => new Promise(() => {})' } },
  'bad-impostor': { packageName: '@stackbk/plugin-restic', providers: 'export default () => [{ kind: "engine", id: "restic", apiVersion: 1, title: "impostor", settings: [], create() { throw new Error("an impostor") } }]' },
  'bad-half': { providers: 'export default () => [{ kind: "transport", id: "half", apiVersion: 1, title: "half", settings: [], create: async () => ({ location: "half" }) }]' },
  'bad-throws-later': {
    providers: `const methods = ['ready', 'examine', 'close', 'probe', 'traits', 'list', 'upload', 'download', 'read', 'move', 'remove', 'space']
      export default () => [{ kind: "transport", id: "later", apiVersion: 1, title: "later", settings: [], create: async () => ({ location: "there", ...Object.fromEntries(methods.map((name) => [name, () => { throw new Error("in " + name) }])) }) }]`,
  },
}

let world: World
let web: WorldStack

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  web = await world.stack('web', { model: oneService })
  linkAll('data', Object.keys(bad), ['bad-gone'])
  // Of those that hang each call would take its time.
  linkAll('data of some', ['bad-twin', 'bad-newer', 'bad-half', 'bad-throws-later'])
})
afterAll(() => world.remove())

const at = (...parts: string[]): string => join(world.root, ...parts)

/** As `plugins link` does it, for a user data folder. `gone`: others that are listed and not there any more. */
function linkAll(data: string, folders: readonly string[], gone: readonly string[] = []): void {
  const listed = folders.map((folder) => {
    const { providers = '', hooks = {}, packageName = folder } = bad[folder] ?? {}
    const root = at('linked', folder)
    mkdirSync(root, { recursive: true })
    const all = { 'stackbk:providers': providers, ...hooks }
    const files = Object.keys(all).map((event, index) => [event, `./hook-${index}.js`] as const)
    writeFileSync(join(root, 'package.json'), JSON.stringify({ name: packageName, version: '9.9.9', type: 'module', oclif: { hooks: Object.fromEntries(files) } }))
    for (const [event, file] of files) writeFileSync(join(root, file), all[event as keyof typeof all])
    return { name: packageName, type: 'link', root }
  })
  mkdirSync(at(data))
  writeFileSync(at(data, 'package.json'), JSON.stringify({ oclif: { schema: 1, plugins: [...listed, ...gone.map((name) => ({ name, type: 'user' }))] } }))
}

const environment = (data = 'data'): Record<string, string> => ({ STACKBK_DATA_DIR: at(data) })
const stackbk = (...args: string[]): Promise<Ended> => world.run(args, { environment: environment() })

describe('with every plugin installed that should not have been written', () => {
  it('a backup is made as without them, and its document is all that it prints', async () => {
    const { exitCode, stdout, ms } = await stackbk('backup', '--json')
    const result = JSON.parse(stdout) as BackupResult
    expect([exitCode, result.status, result.stacks.map(({ name, status }) => [name, status])]).toEqual([0, 'ok', [['web', 'ok']]])
    expect(await world.snapshots()).toHaveLength(1)
    expect(await web.running()).toEqual(['app'])
    // Each waits within its own limit, all at the same time: 5 s for the hooks, 10 s for a first event, 2 s at the end.
    expect(ms).toBeLessThan(60_000)
    expect(world.log().filter(({ message }) => message === 'a plugin cannot be used').map(({ plugin, stack }) => [plugin, stack])).toContainEqual(['bad-throws', expect.stringMatching(/in its hook\n +at .*hook-0\.js:1/) as string])
    const failures = world.log().filter(({ message }) => /failed to take an event/.test(message))
    expect(failures.map(({ message, reason }) => [message.split(' ', 1)[0], reason]).filter(([name]) => name === 'bad-listener-waits')).toEqual([['bad-listener-waits', 'it took longer than 10 s']])
  })

  it('doctor says of each what is wrong with it, and what each of the others provides', async () => {
    const { stdout } = await stackbk('doctor', '--json')
    const { checks } = JSON.parse(stdout) as DoctorResult
    const found = checks.filter(({ id }) => id.startsWith('plugin.')).map(({ status, found: words }) => `${status} ${words}`)
    expect(checks.filter(({ id }) => id === 'freezer.ice')).toMatchObject([{ status: 'warning', found: 'the freezer "ice" of bad-freezer could not be set up: no ice' }])
    expect(checks.filter(({ id, status }) => status === 'failed' && id.startsWith('plugin.'))).toEqual([])
    for (const words of [
      'warning bad-import: its providers hook failed: at its import',
      'warning bad-throws: its providers hook failed: in its hook',
      'warning bad-waits-for-nothing: its providers hook failed: it took longer than 5 s',
      'warning bad-waits-at-import: its providers hook failed: it took longer than 5 s',
      'warning bad-never-ends: its providers hook failed: it took longer than 5 s',
      'warning bad-exits: its providers hook failed: it called process.exit(0), which stackbk does not let it',
      'warning bad-nonsense: what it returned is not a provider',
      'warning bad-settings: one of its settings is not a declaration',
      'warning bad-newer: it was written for version 2 of the contract and this stackbk has version 1',
      'warning bad-twin: @stackbk/plugin-restic provides it too, and is the one that is used; this one is asked for as "bad-twin#restic"',
      'warning @stackbk/plugin-restic: it has the name of a plugin that comes with stackbk, in version 9.9.9; the one that comes with it is used',
      `warning bad-gone: it could not be loaded from ${at('data', 'node_modules', 'bad-gone')}: ENOENT: no such file or directory, open '${at('data', 'node_modules', 'bad-gone', 'package.json')}'`,
      'ok listens to events, from bad-listener 9.9.9 (linked)',
      'ok engine: restic snapshot engine, from @stackbk/plugin-restic',
    ]) expect(found).toContain(words)
  })

  it('plugins lists them, and prints nothing of theirs', async () => {
    const { exitCode, stdout } = await world.run(['plugins', '--json'], { config: null, environment: environment() })
    const { plugins } = JSON.parse(stdout) as PluginsResult
    expect(exitCode).toBe(0)
    expect(plugins.find(({ name }) => name === 'bad-newer')).toMatchObject({ version: '9.9.9', origin: 'linked', provides: [], troubles: ['transport newer: it was written for version 2 of the contract and this stackbk has version 1'] })
    expect(plugins.find(({ name }) => name === 'bad-gone')).toMatchObject({ version: null, origin: 'installed', folder: null })
    expect(plugins.find(({ name }) => name === '@stackbk/plugin-restic')).toMatchObject({ origin: 'bundled', provides: [{ kind: 'engine', id: 'restic' }] })
  })
})

describe('a plugin that is asked for and cannot be used', () => {
  const stateWithoutLog = (): string => world.picture(at('state')).split('\n').filter((line) => !line.includes('/stackbk.log ')).join('\n')

  it.each([
    ['an engine that throws', { local_backup: { ENGINE: 'bad-twin#restic' } }, 'not this one', 1],
    ['an engine that is nowhere', { local_backup: { ENGINE: 'nowhere' } }, 'no plugin provides the engine "nowhere"', 0],
  ] as const)('%s: backup ends with 2, nothing was touched, and the stack of what it threw is in the run log', async (_, settings, reason, thrown) => {
    const before = { containers: await web.containers(), snapshots: (await world.snapshots()).length, state: stateWithoutLog() }
    const { exitCode, stderr, stackTraces } = await withSettings(settings, 'backup')
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)])
    expect({ containers: await web.containers(), snapshots: (await world.snapshots()).length, state: stateWithoutLog() }).toEqual(before)
    expect(stackTraces).toEqual(Array.from({ length: thrown }, () => expect.stringMatching(/\n +at .*\.js:\d+/) as string))
  })

  it.each([
    ['a transport for a newer contract', { cloud_sync: { PROVIDER: 'newer' } }, 'bad-newer: it was written for version 2', 0],
    ['half a transport', { cloud_sync: { PROVIDER: 'half' } }, 'its create() gave a transport without ready()', 0],
    ['a transport that throws at the first call', { cloud_sync: { PROVIDER: 'later' } }, 'in ready', 3],
  ] as const)('%s: run makes the backup all the same, ends with 2 and says why, and the stack of what it threw is in the run log', async (_, settings, reason, thrown) => {
    const before = (await world.snapshots()).length
    const { exitCode, stdout, stackTraces } = await withSettings(settings, 'run')
    expect([exitCode, stdout]).toEqual([2, expect.stringContaining(reason)])
    expect((await world.snapshots()).length).toBe(before + 1)
    expect(await web.running()).toEqual(['app'])
    expect(stackTraces).toEqual(Array.from({ length: thrown }, () => expect.stringMatching(/\n +at .*\.js:\d+/) as string))
  })

  it('a remote that rclone does not know is no reason not to back up either', async () => {
    const before = (await world.snapshots()).length
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'clod' } })
    const { exitCode, stdout } = await world.run(['run'], { environment: environment() })
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'cloud' } })
    expect([exitCode, stdout]).toEqual([2, expect.stringContaining('clod')])
    expect((await world.snapshots()).length).toBe(before + 1)
    expect(await web.running()).toEqual(['app'])
  })

  it('with --verbose the stack of an error is lines, and the name of a stack stays in its line', async () => {
    const { stderr } = await world.run(['run', '--verbose'], { environment: environment('data of some') })
    expect(stderr).toMatch(/ debug: .*"stack":"web"/)
    world.configure({ local_backup: { ENGINE: 'bad-twin#restic' } })
    const failed = await world.run(['backup', '--verbose'], { environment: environment('data of some') })
    world.configure({ local_backup: { ENGINE: null } })
    expect(failed.stderr).toMatch(/ error: create\(\) of the engine .* failed\n {2}Error: not this one\n {6}at .*\.js:\d+/)
  })

  /** Runs a command with these settings, and returns the stack traces of the errors in its run log too. */
  async function withSettings(settings: Record<string, Record<string, string>>, command: string): Promise<{ exitCode: number; stdout: string; stderr: string; stackTraces: unknown[] }> {
    const logged = world.log().length
    world.configure(settings)
    const { exitCode, stdout, stderr } = await world.run([command], { environment: environment('data of some') })
    world.configure(Object.fromEntries(Object.entries(settings).map(([section, keys]) => [section, Object.fromEntries(Object.keys(keys).map((key) => [key, null]))])))
    return { exitCode, stdout, stderr, stackTraces: world.log().slice(logged).filter(({ level }) => level === 'error').map(({ stack }) => stack) }
  }
})
