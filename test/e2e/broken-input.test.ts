import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { EngineWatch } from '../fixtures/engine-watch.js'
import { freePort, rcloneConfig, startMuteServer } from '../fixtures/remotes.js'
import { makeWorld, oneService, type Ended, type RunOptions, type World, type WorldStack } from '../fixtures/world.js'

/** A host of a user of stackbk has a configuration of its own there, which root alone can hide from one call. */
const withoutSystemConfiguration = existsSync('/etc/stackbk') ? ['unshare', '--mount', '--', 'sh', '-c', 'mount -t tmpfs none /etc/stackbk && exec "$@"', 'sh'] : []
const noneAtAll = { config: null, through: withoutSystemConfiguration, environment: { HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' } }
const nobody = 65534

let world: World
let web: WorldStack
let containers: string
let watch: EngineWatch

beforeAll(async () => {
  world = await makeWorld({ settings: { cloud_sync: { RETRIES: 0 } } })
  web = await world.stack('web', { model: oneService })
  await world.stack('off', { model: oneService, isUp: false, isEnabled: false })
  containers = await web.containers()
  watch = await world.watch()
})
afterAll(async () => {
  await watch.close()
  await world.remove()
})

/** Error, reason, what to do next: on standard error, and nothing on standard output. */
function expectThreeLines({ stdout, stderr }: Ended): void {
  const lines = stderr.trimEnd().split('\n').filter((line) => !line.startsWith('warning: '))
  expect(lines[0]).toMatch(/^Error: \S/)
  expect(lines.at(-1)).toMatch(/^Next: {2}\S/)
  expect(lines.slice(1, -1).every((line) => line.startsWith('  '))).toBe(true)
  expect(stdout.split('\n').filter((line) => line !== '' && !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /.test(line))).toEqual([])
}

/** This code and three lines, and nothing changed by it. What other refusals share its code is told apart by a second call, with `--json`. */
async function expectRefusal(args: readonly string[], code: number, errorCode?: string, options: RunOptions = {}): Promise<Ended> {
  const traces = code === 2 ? ['stackbk.log', 'history.jsonl', 'journal', 'repositories', 'stacks', 'capsules'].map((name) => join(world.state, name)) : []
  const everything = [world.stacks, world.repository, world.dirlist, world.config, world.cloud, ...traces]
  const before = world.picture(...everything)
  const ended = await world.run(args, options)
  expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toMatchObject({ exitCode: code })
  expectThreeLines(ended)
  if (errorCode !== undefined) {
    const asJson = await world.run([...args, '--json'], options)
    expect(asJson.exitCode).toBe(code)
    expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { code: errorCode, message: expect.stringMatching(/./) as string, fix: expect.stringMatching(/./) as string, exitCode: code } })
  }
  expect(world.picture(...everything)).toBe(before)
  expect(await web.containers()).toBe(containers)
  expect(watch.events).toEqual([])
  return ended
}

describe('refused with 2 before anything is touched, not even a line of the log is written', () => {
  it('no configuration at all', () => expectRefusal(['backup'], 2, 'config-missing', noneAtAll))
  it('a named configuration that is not there', () => expectRefusal(['backup'], 2, 'config-missing', { config: '/nonexistent/config.ini' }))
  it('one named by STACKBK_CONFIG that is not there, with no fall-through', () =>
    expectRefusal(['backup'], 2, 'config-missing', { config: null, environment: { STACKBK_CONFIG: '/nonexistent/config.ini' } }))

  it('a configuration that this user may not read', async () => {
    chmodSync(world.root, 0o755)
    await expectRefusal(['backup'], 2, 'config-unreadable', { user: nobody })
    chmodSync(world.root, 0o700)
  })

  it('one that the group can read, and that holds a secret', async () => {
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: null, RESTIC_PASSWORD: 'secret' } })
    chmodSync(world.config, 0o640)
    const { stderr } = await expectRefusal(['backup'], 2)
    expect(stderr).toContain('chmod 600')
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: world.password, RESTIC_PASSWORD: null } })
  })

  it('a password left at the placeholder of a template', async () => {
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: null, RESTIC_PASSWORD: 'changeme' } })
    await expectRefusal(['backup'], 2)
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: world.password, RESTIC_PASSWORD: null } })
  })

  it('values out of range and unknown choices, all told at once with their lines', async () => {
    world.configure({ local_backup: { KEEP_DAILY: -1, VERIFICATION_DEPTH: 'deep' }, cloud_sync: { TRANSFERS: 0 } })
    const { stderr } = await expectRefusal(['backup'], 2)
    for (const key of ['KEEP_DAILY', 'VERIFICATION_DEPTH', 'TRANSFERS']) expect(stderr).toMatch(new RegExp(`config\\.ini:\\d+.*${key}`))
    world.configure({ local_backup: { KEEP_DAILY: null, VERIFICATION_DEPTH: null }, cloud_sync: { TRANSFERS: null } })
  })

  it('an unknown command, with the nearest one', async () => expect((await expectRefusal(['backpu'], 2, 'unknown-command')).stderr).toContain('stackbk backup'))
  it('an unknown flag', () => expectRefusal(['backup', '--frobnicate'], 2, 'usage'))
  it('a value that a flag does not take', () => expectRefusal(['backup', '--stop-mode', 'halt'], 2, 'usage'))
  it('an unknown stack, with the nearest one', async () => expect((await expectRefusal(['backup', 'wbe'], 2, 'unknown-stack')).stderr).toContain('web'))
  it('an unknown stack beside a known one', () => expectRefusal(['backup', 'web', 'nosuch'], 2, 'unknown-stack'))

  it('nothing enabled', async () => {
    world.disable('web')
    await expectRefusal(['backup'], 2, 'nothing-enabled')
    world.enable('web')
  })

  it('the name of a stack where restore wants a folder', async () => {
    const { stderr } = await expectRefusal(['restore', 'web'], 2, 'stack-is-no-target')
    expect(stderr).toContain('stackbk recover web')
  })

  it('no remote configured', async () => {
    world.configure({ cloud_sync: { RCLONE_REMOTE: null } })
    await expectRefusal(['sync'], 2)
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'cloud' } })
  })

  it('a remote that rclone does not know, with the nearest one', async () => {
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'clod' } })
    const { stderr } = await expectRefusal(['sync'], 2)
    expect(stderr).toContain('cloud')
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'cloud' } })
  })
})

describe('a repository that cannot be opened', () => {
  it('wrong password: 12', async () => {
    writeFileSync(world.password, 'wrong\n')
    await expectRefusal(['backup'], 12)
    await expectRefusal(['snapshots'], 12)
    writeFileSync(world.password, 'secret\n')
  })

  it('missing with AUTO_INIT=false: 10, and none is made', async () => {
    const elsewhere = join(world.root, 'elsewhere')
    world.configure({ local_backup: { RESTIC_REPOSITORY: elsewhere, AUTO_INIT: false } })
    await expectRefusal(['backup'], 10, 'repository-missing')
    expect(world.picture(elsewhere)).toContain('is not there')
    world.configure({ local_backup: { RESTIC_REPOSITORY: world.repository, AUTO_INIT: null } })
  })
})

describe('tools', () => {
  it('the engine does not answer: 4', () => expectRefusal(['backup'], 4, 'tool-not-answering', { environment: { DOCKER_HOST: 'unix:///nonexistent.sock' } }))
  it('docker missing: 4', () => expectRefusal(['backup'], 4, 'tool-missing', { environment: { PATH: world.pathOf('node', 'restic', 'rclone', 'sh', 'mkfifo') } }))
  it('restic missing: 4', () => expectRefusal(['backup'], 4, 'tool-missing', { environment: { PATH: world.pathOf('node', 'docker', 'rclone', 'sh', 'mkfifo') } }))
  it('rclone missing: 4', () => expectRefusal(['sync'], 4, 'tool-missing', { environment: { PATH: world.pathOf('node', 'docker', 'restic', 'sh', 'mkfifo') } }))

  it.each([
    ['restic', 'backup', 'echo "restic 0.16.4 compiled with go1.21.6 on linux/amd64"'],
    ['rclone', 'sync', 'echo "rclone v1.53.3"'],
  ])('%s too old: 4, for %s', async (tool, command, words) => {
    world.fake(tool, `#!/bin/sh\n${words}\n`)
    const { stderr } = await expectRefusal([command], 4, 'tool-too-old', { environment: { PATH: world.fakePath } })
    expect(stderr).toMatch(tool === 'restic' ? /0\.17/ : /1\.60/)
    rmSync(join(world.root, 'bin', tool))
  })

  it('Compose too old: 4', async () => {
    const [real] = world.pathOf('docker').split(':')
    world.fake('docker', `#!/bin/sh\ncase "$*" in "compose version"*) echo 2.17.3;; *) exec ${real}/docker "$@";; esac\n`)
    await expectRefusal(['backup'], 4, 'tool-too-old', { environment: { PATH: world.fakePath } })
    rmSync(join(world.root, 'bin', 'docker'))
  })
})

describe('a remote that cannot be reached', () => {
  const withRemote = async (port: number, run: () => Promise<void>): Promise<void> => {
    writeFileSync(join(world.root, 'other.conf'), rcloneConfig('dead', { kind: 'sftp', port, password: 'x' }), { mode: 0o600 })
    world.configure({ cloud_sync: { RCLONE_CONFIG: join(world.root, 'other.conf'), RCLONE_REMOTE: 'dead' } })
    await run()
    world.configure({ cloud_sync: { RCLONE_CONFIG: join(world.root, 'rclone.conf'), RCLONE_REMOTE: 'cloud' } })
  }

  it('nobody listens there: 5, for sync, restore and the test of the connection', async () => {
    await withRemote(await freePort(), async () => {
      await expectRefusal(['sync'], 5)
      await expectRefusal(['sync', '--test'], 5)
      const { ms } = await expectRefusal(['restore', join(world.root, 'new')], 5)
      expect(world.picture(join(world.root, 'new'))).toContain('is not there')
      expect(ms).toBeLessThan(30_000)
    })
  })

  it('somebody listens and says nothing: 5, within 30 s', async () => {
    const mute = await startMuteServer()
    await withRemote(mute.port, async () => {
      const { exitCode, ms } = await world.run(['sync'], { onHostNetwork: true })
      expect(exitCode).toBe(5)
      expect(ms).toBeLessThan(30_000)
    })
    await mute.close()
  })
})

describe('defect 10: an unmounted stacks folder', () => {
  const away = (): string => join(world.root, 'away')

  it('erases no choice, and exits 2', async () => {
    renameSync(world.stacks, away())
    for (const isEmptyFolder of [false, true]) {
      if (isEmptyFolder) mkdirSync(world.stacks)
      const before = world.picture(world.dirlist)
      const { exitCode, stderr } = await world.run(['backup'])
      expect(exitCode, stderr).toBe(2)
      const refreshed = await world.run(['dirlist', 'refresh'])
      const { result } = await world.json<{ entries: { name: string; enabled: boolean; available: boolean }[] }>(['dirlist', 'list'])
      expect(refreshed.exitCode, refreshed.stderr).not.toBe(1)
      expect(result.entries.find((entry) => entry.name === 'web')).toMatchObject({ enabled: true, available: false })
      expect(world.picture(world.dirlist)).toBe(before)
    }
    rmSync(world.stacks, { recursive: true })
    renameSync(away(), world.stacks)
  })

  it('is over when the disk is back', async () => {
    const { exitCode, result } = await world.backup(['--dry-run'])
    expect(exitCode).toBe(0)
    expect(result.stacks.map((stack) => stack.name)).toEqual(['web'])
  })
})

describe('defect 30: a known repository that is gone', () => {
  it('is exit 10 and no new one, whether its folder is gone or only empty', async () => {
    const known = await world.run(['verify'])
    expect(known.exitCode, known.stderr).toBe(0)
    expect((await world.run(['sync'])).exitCode).toBe(0)
    renameSync(world.repository, join(world.root, 'unmounted'))
    await expectRefusal(['backup'], 10, 'repository-missing')
    await expectRefusal(['run'], 10)
    expect(world.picture(world.repository)).toContain('is not there')
    mkdirSync(world.repository)
    await expectRefusal(['backup'], 10)
    await expectRefusal(['sync'], 10)
    rmSync(world.repository, { recursive: true })
    renameSync(join(world.root, 'unmounted'), world.repository)
  })
})

it('no container was touched by any of these', async () => {
  expect(await watch.close()).toEqual([])
  expect(await web.containers()).toBe(containers)
})
