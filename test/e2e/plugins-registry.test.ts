import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { SyncResult } from '../../src/stages/sync/sync-result.js'
import { type PackageRegistry, startPackageRegistry } from '../fixtures/package-registry.js'
import { startBucket } from '../fixtures/s3-bucket.js'
import { startSshServer } from '../fixtures/ssh-server.js'
import { type Ended, makeWorld, type World } from '../fixtures/world.js'

const execute = promisify(execFile)
const repository = fileURLToPath(new URL('../..', import.meta.url))

let world: World
let registry: PackageRegistry
const at = (...parts: string[]): string => join(world.root, ...parts)

beforeAll(async () => {
  world = await makeWorld()
  registry = await startPackageRegistry(at('registry'))
  mkdirSync(at('packed'))
  await registry.publish(await pack(join(repository, 'packages/contract')))
  mkdirSync(at('saved'))
  writeFileSync(at('saved', 'file'), 'content')
  await world.restic('backup', '--host', 'testhost', at('saved'))
})
afterAll(async () => {
  await registry.end()
  await world.remove()
})

/** A user data folder for each test, with this registry alone. */
let data = ''
let folders = 0
beforeEach(() => {
  data = at(`data-${++folders}`)
})

const plugins = (...args: string[]): Promise<Ended> => world.run(['plugins', ...args], { config: null, onHostNetwork: true, environment: environment() })

const environment = (): Record<string, string> => ({ STACKBK_DATA_DIR: data, STACKBK_NPM_REGISTRY: registry.address })

const stackbk = (...args: string[]): Promise<Ended> => world.run(args, { environment: environment() })

async function pack(folder: string): Promise<string> {
  const { stdout } = await execute('npm', ['pack', '--ignore-scripts', '--json', `--pack-destination=${at('packed')}`], { cwd: folder })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return at('packed', filename)
}

/** A package with nothing but this in its package.json. */
async function publishOddity(name: string, facts: object): Promise<void> {
  const folder = at('odd', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...facts }))
  await registry.publish(await pack(folder))
}

const installed = (): string[] => (existsSync(join(data, 'node_modules')) ? readdirSync(join(data, 'node_modules')).filter((name) => !name.startsWith('.')) : [])

describe('the template of examples', () => {
  const alone = (): string => at('alone')

  it('stands alone: in an empty folder its tests pass', async () => {
    cpSync(join(repository, 'examples/stackbk-plugin-folder'), alone(), { recursive: true })
    await execute('npm', ['install', `--registry=${registry.address}`, `--cache=${at('cache-of-npm')}`], { cwd: alone() })
    const { stdout } = await execute('npm', ['test'], { cwd: alone() })
    expect(stdout).toMatch(/^# fail 0$/m)
    expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(30)
  })

  it('is published, installed, used for a copy that is whole, and uninstalled', async () => {
    await registry.publish(await pack(alone()))
    const install = await plugins('install', 'stackbk-plugin-folder')
    expect([install.exitCode, install.stderr]).toEqual([0, expect.stringContaining('stackbk-plugin-folder: transport folder: a plain folder as a remote [plugin:folder]')])
    // What it needs came along inside of it.
    expect(installed()).toEqual(['stackbk-plugin-folder'])
    expect((await plugins()).stdout).toMatch(/stackbk-plugin-folder +1\.0\.0 +installed +transport folder: a plain folder as a remote/)

    world.configure({ cloud_sync: { PROVIDER: 'folder' }, 'plugin:folder': { FOLDER: at('copy') } })
    mkdirSync(at('copy'))
    const sync = await stackbk('sync')
    expect([sync.exitCode, sync.stderr]).toEqual([0, ''])
    await world.check(at('copy'))

    expect((await plugins('uninstall', 'stackbk-plugin-folder')).exitCode).toBe(0)
    expect(installed()).toEqual([])
    const without = await stackbk('sync')
    expect([without.exitCode, without.stderr]).toEqual([2, expect.stringContaining('no plugin provides the transport "folder"')])
    world.configure({ cloud_sync: { PROVIDER: null } })
  })
})

describe('a transport that does not come with stackbk', () => {
  it.each(['rsync', 's3'] as const)('%s: is published, installed by its short name, used for a copy, and uninstalled', async (name) => {
    const { stdout: tarball } = await execute(process.execPath, [join(repository, 'scripts/pack-plugin.js'), join(repository, 'plugins', name), at('packed')])
    await registry.publish(tarball.trim())
    const install = await plugins('install', name)
    expect([install.exitCode, install.stderr]).toEqual([0, expect.stringContaining(`@stackbk/plugin-${name}: transport ${name}: `)])
    expect(installed()).toEqual(['@stackbk'])

    const remote = name === 'rsync' ? await sshRemote() : await bucketRemote()
    try {
      world.configure({ cloud_sync: { PROVIDER: name }, [`plugin:${name}`]: remote.settings })
      // Servers of the test's own are on the host's loopback.
      const { exitCode, result } = await world.json<SyncResult>(['sync', '--allow-new-remote'], { environment: environment(), onHostNetwork: true })
      expect([exitCode, result.verified, result.uploaded.files > 3]).toEqual([0, true, true])
    } finally {
      await remote.close()
    }

    expect((await plugins('uninstall', name)).exitCode).toBe(0)
    expect(existsSync(join(data, 'node_modules', '@stackbk', `plugin-${name}`))).toBe(false)
    expect((await plugins()).stdout).toContain('No plugins installed.')
    world.configure({ cloud_sync: { PROVIDER: null } })
  })

  async function sshRemote(): Promise<{ settings: Readonly<Record<string, string | number>>; close: () => Promise<void> }> {
    const server = await startSshServer()
    return { settings: server.settings(server.freshFolder()), close: () => server.close() }
  }

  async function bucketRemote(): Promise<{ settings: Readonly<Record<string, string | number>>; close: () => Promise<void> }> {
    const bucket = await startBucket()
    return { settings: { ...bucket.settings(bucket.freshPrefix()), SECRET_ACCESS_KEY: bucket.secret }, close: () => bucket.close() }
  }
})

describe('before it is installed', () => {
  it('a plugin for another version of the contract is refused', async () => {
    await publishOddity('stackbk-plugin-newer', { oclif: { hooks: { 'stackbk:providers': './nothing.js' } }, stackbk: { apiVersion: 2 } })
    const { exitCode, stderr } = await plugins('install', 'stackbk-plugin-newer')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('stackbk-plugin-newer@1.0.0 cannot be used with this stackbk\n  it was written for version 2 of the contract and this stackbk has version 1; nothing was installed')
    expect(installed()).toEqual([])
  })

  it('what is no plugin is refused, and a short name that only a stranger has', async () => {
    await publishOddity('anything', { scripts: { install: `touch ${at('was-run')}` } })
    const { exitCode, stderr } = await plugins('install', 'anything')
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('anything@1.0.0 is no plugin of stackbk')])
    expect(installed()).toEqual([])
    expect(existsSync(at('was-run'))).toBe(false)
  })

  it('the name of a plugin that comes with stackbk is refused, by whatever way it comes', async () => {
    await publishOddity('@stackbk/plugin-restic', { oclif: {} })
    for (const spec of ['restic', '@stackbk/plugin-restic', `file:${at('packed', 'stackbk-plugin-restic-1.0.0.tgz')}`]) {
      const { exitCode, stderr } = await plugins('install', spec)
      expect([spec, exitCode, stderr]).toEqual([spec, 2, expect.stringContaining('@stackbk/plugin-restic comes with stackbk')])
    }
    expect(installed()).toEqual([])
  })

  it('one that is nowhere is said to be so', async () => {
    const { exitCode, stderr } = await plugins('install', 'nowhere-at-all')
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('nowhere-at-all does not exist in the registry')])
  })
})

