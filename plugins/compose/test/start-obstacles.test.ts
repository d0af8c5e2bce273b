import { execFileSync } from 'node:child_process'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { StartObstacle } from '@stackbk/contract'
import { describe, expect, onTestFinished, test } from 'vitest'

import { type ComposeStack, docker, service } from '../../../test/fixtures/compose-stack.js'
import { canMakeHangingMounts, makeHangingMount } from '../../../test/fixtures/hanging-mount.js'
import { canMakeDisks, makeSmallDisk } from '../../../test/fixtures/small-disk.js'
import { mountOf, readMounts } from '../src/mount-table.js'
import { good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

const isRoot = process.getuid?.() === 0

/** An address of the machine for the running test alone, of the range for documentation (RFC 5737). */
function makeAddress(): { readonly address: string; readonly remove: () => void } {
  const address = `198.51.100.${1 + Math.floor(Math.random() * 250)}`
  const remove = (): void => void execFileSync('busybox', ['ip', 'address', 'del', `${address}/32`, 'dev', 'lo'], { stdio: 'ignore' })
  execFileSync('busybox', ['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
  onTestFinished(() => {
    try {
      remove()
    } catch {
      // The test has done so.
    }
  })
  return { address, remove }
}

interface Case {
  readonly volumes?: readonly string[]
  readonly service?: object
  readonly more?: object
  readonly before?: (stack: ComposeStack) => Promise<unknown>
  readonly change?: (stack: ComposeStack) => Promise<unknown>
}

/** A stack with a folder `data`, and what stands in the way of its start after the change; its folder is FOLDER, its project P. */
async function obstaclesAfter({ volumes = ['./data:/data'], service: definition = {}, more = {}, before = async () => {}, change = async () => {} }: Case): Promise<readonly StartObstacle[]> {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ network_mode: 'none', volumes, ...definition }) }, ...more }, files: { 'data/row': 'row\n', 'web.conf': 'a\n' }, isUp: false })
  await before(stack)
  await stack.write('compose.yaml', JSON.stringify({ services: { web: service({ network_mode: 'none', volumes, ...definition }) }, ...more }).replaceAll('FOLDER', stack.directory))
  await stack.up()
  await change(stack)
  const { startObstacles = [] } = good(await runtime.preflight(await look(runtime, stack.directory), { stopMode: 'auto' }))
  return startObstacles.map((obstacle) => ({ ...obstacle, message: obstacle.message.replaceAll(stack.directory, 'FOLDER').replaceAll(stack.project, 'P') }))
}

const moved = (from: string, to: string) => (stack: ComposeStack): Promise<void> => rename(join(stack.directory, from), join(stack.directory, to))
const absent = (path: string): object => ({ kind: 'other-data', message: `FOLDER/${path}, which P-web-1 has mounted, is not there: a start would fail, or find an empty folder in its place` })

describe('a start would fail, or meet other data', () => {
  test('where the folder of a bind was renamed', async () => {
    expect(await obstaclesAfter({ change: moved('data', 'data.old') })).toMatchObject([absent('data')])
  })

  test('where a file that is bound was deleted', async () => {
    expect(await obstaclesAfter({ volumes: ['./web.conf:/etc/web.conf:ro'], change: (stack) => rm(join(stack.directory, 'web.conf')) })).toMatchObject([absent('web.conf')])
  })

  test('where the file of a secret was deleted', async () => {
    const secret = { service: { secrets: ['token'] }, more: { secrets: { token: { file: './web.conf' } } } }
    expect(await obstaclesAfter({ ...secret, change: (stack) => rm(join(stack.directory, 'web.conf')) })).toMatchObject([absent('web.conf')])
  })

  test('where the folder behind a volume was moved', async () => {
    const volume = { volumes: ['files:/files'], more: { volumes: { files: { driver_opts: { type: 'none', o: 'bind', device: 'FOLDER/data' } } } } }
    expect(await obstaclesAfter({ ...volume, change: moved('data', 'data.old') })).toMatchObject([{ kind: 'fails', message: 'FOLDER/data, which the volume P_files of P-web-1 is mounted from, is not there' }])
  })

  test.skipIf(!isRoot)('where the address of a published port is gone, as without a VPN or after a new lease, and not while it is there', async () => {
    const { address, remove } = makeAddress()
    const published = { volumes: [], service: { network_mode: undefined, ports: [`${address}::80`, '127.0.0.1::81', '82'] } }
    expect(await obstaclesAfter(published)).toEqual([])
    expect(await obstaclesAfter({ ...published, change: () => Promise.resolve(remove()) })).toMatchObject([{ kind: 'fails', message: `P-web-1 has a port at ${address}, an address that this host does not have now` }])
  })

  test.skipIf(!isRoot)('where a device is gone', async () => {
    const node = (stack: ComposeStack): string => join(stack.directory, 'stick')
    expect(
      await obstaclesAfter({
        service: { devices: ['FOLDER/stick:/dev/ttyUSB0'] },
        before: async (stack) => execFileSync('mknod', [node(stack), 'c', '1', '3']),
        change: (stack) => rm(node(stack)),
      }),
    ).toMatchObject([{ kind: 'fails', message: 'the device FOLDER/stick, which P-web-1 uses, is not there' }])
  })

  test.skipIf(!isRoot)('where the folder of a bind, or the one behind a volume, was exchanged', async () => {
    const exchange = async (stack: ComposeStack): Promise<void> => {
      await moved('data', 'data.old')(stack)
      await mkdir(join(stack.directory, 'data'))
    }
    const expected = [{ kind: 'other-data', message: 'what P-web-1 uses as FOLDER/data is not what lies at FOLDER/data now: it was moved, exchanged, or hidden by a mount since' }]
    expect(await obstaclesAfter({ change: exchange })).toMatchObject(expected)
    expect(await obstaclesAfter({ volumes: ['files:/files'], more: { volumes: { files: { driver_opts: { type: 'none', o: 'bind', device: 'FOLDER/data' } } } }, change: exchange })).toMatchObject(expected)
  })

  test.skipIf(!canMakeDisks)('where a disk was mounted over the folder since, also where the container only reads it', async () => {
    const mountOver = async (stack: ComposeStack): Promise<void> => {
      const disk = await makeSmallDisk({ path: join(stack.directory, 'data'), bytes: 8_000_000, kind: 'ext4' })
      onTestFinished(() => disk.remove())
    }
    expect(await obstaclesAfter({ volumes: ['./data:/data:ro'], change: mountOver })).toMatchObject([{ kind: 'other-data', message: expect.stringContaining('hidden by a mount') as string }])
  })
})

describe('nothing stands in the way of a start', () => {
  test.each<[string, Case]>([
    ['where nothing has changed', { volumes: ['./data:/data', './web.conf:/etc/web.conf', '/etc/hostname:/host:ro', '/dev/null:/null', '/:/all:ro'], service: { devices: ['/dev/null:/dev/x'] } }],
    ['where an editor has replaced a file that is bound', { volumes: ['./web.conf:/etc/web.conf'], change: async (stack) => (await writeFile(join(stack.directory, 'new'), 'b\n'), await moved('new', 'web.conf')(stack)) }],
    ['where a folder was exchanged that the container only reads', { volumes: ['./data:/data:ro'], change: async (stack) => (await moved('data', 'data.old')(stack), await mkdir(join(stack.directory, 'data'))) }],
    ['where a link leads to another folder', { volumes: ['./current:/data'], before: (stack) => symlink('data', join(stack.directory, 'current')), change: async (stack) => (await rm(join(stack.directory, 'current')), await mkdir(join(stack.directory, 'next')), await symlink('next', join(stack.directory, 'current'))) }],
    ['where the folder was deleted and made again', { volumes: ['./empty:/data'], change: async (stack) => (await rm(join(stack.directory, 'empty'), { recursive: true }), await mkdir(join(stack.directory, 'empty'))) }],
    ['where the engine mounts a volume of its own for it', { volumes: ['files:/files', '/data'], more: { volumes: { files: { driver_opts: { type: 'mqueue', device: 'none' } } } } }],
  ])('%s', async (_, given) => {
    expect(await obstaclesAfter(given)).toEqual([])
  })

  test.skipIf(!isRoot)('where the system has deleted an empty folder of /tmp', async () => {
    const folder = join('/tmp', `stackbk-test-empty-${process.pid}`)
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    expect(await obstaclesAfter({ volumes: [`${folder}:/cache`], change: () => rm(folder, { recursive: true }) })).toEqual([])
  })
})

test('a container in the network of one that was made again cannot be started, and down gives it a new one that can', async () => {
  const { runtime } = await liveRuntime()
  const madeAgain = async (more: object): Promise<ComposeStack> => {
    const stack = await liveStack({ compose: { services: { vpn: service({ network_mode: 'none' }), behind: service({ network_mode: 'service:vpn', ...more }) } } })
    await docker('rm', '-f', `${stack.project}-vpn-1`)
    await stack.compose('up', '-d', '--no-recreate', 'vpn')
    return stack
  }
  const stack = await madeAgain({})
  const state = await look(runtime, stack.directory)
  const preflight = good(await runtime.preflight(state, { stopMode: 'auto' }))
  expect(preflight).toMatchObject({ whyNotDown: [], startObstacles: [{ kind: 'fails', message: `the container whose network ${stack.project}-behind-1 shares is gone, or was made again since`, fix: 'Make it again: docker compose up -d --force-recreate --no-deps behind', isGoneWithDown: true }] })
  await stopAndStart(runtime, state, 'down')
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).startObstacles).toBeUndefined()
  expect(await stack.running()).toEqual(['behind', 'vpn'])

  // What a new container would lack keeps the old one, and so nothing is stopped.
  const kept = await madeAgain({ volumes: ['/kept'] })
  expect(good(await runtime.preflight(await look(runtime, kept.directory), { stopMode: 'auto' }))).toMatchObject({ whyNotDown: [expect.stringContaining('anonymous volume')], startObstacles: [{ kind: 'fails' }] })
})

test('a container in the network of one that has stopped cannot be started', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { vpn: service({ network_mode: 'none' }), behind: service({ network_mode: 'service:vpn' }) } } })
  await docker('stop', '-t', '0', `${stack.project}-vpn-1`)
  const { startObstacles } = good(await runtime.preflight(await look(runtime, stack.directory)))
  expect(startObstacles).toMatchObject([{ kind: 'fails', message: `${stack.project}-behind-1 shares the network of ${stack.project}-vpn-1, which does not run` }])
})

test('what would only be frozen, or read as it runs, is not looked at', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ volumes: ['./data:/data'] }) } }, files: { 'data/row': '' } })
  await moved('data', 'data.old')(stack)
  const state = await look(runtime, stack.directory)
  for (const stopMode of ['pause', 'none'] as const) expect(good(await runtime.preflight(state, { stopMode })).startObstacles).toBeUndefined()
})

test('a container whose seccomp profile is gone is stopped and started, and never removed', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ security_opt: ['seccomp:./profile.json', 'no-new-privileges'] }) } }, files: { 'profile.json': '{"defaultAction":"SCMP_ACT_ALLOW"}' } })
  const preflight = async (): Promise<unknown> => good(await runtime.preflight(await look(runtime, stack.directory)))
  expect(await preflight()).toMatchObject({ whyNotDown: [] })
  await rm(join(stack.directory, 'profile.json'))
  const reasons = [`service web could not be made again: its seccomp profile ${join(stack.directory, 'profile.json')} is not there`]
  expect(await preflight()).toMatchObject({ whyNotDown: reasons, whyNeverDown: reasons })
  await stopAndStart(runtime, await look(runtime, stack.directory), 'stop')
})

describe.skipIf(!canMakeHangingMounts)('a volume that is mounted from elsewhere', () => {
  test('is a source that does not answer while its server does not', async () => {
    const { runtime } = await liveRuntime()
    const stack = await liveStack({ compose: { services: { web: service({ volumes: ['share:/share'] }) }, volumes: { share: { driver_opts: { type: 'mqueue', device: 'none' } } } } })
    const state = await look(runtime, stack.directory)
    const share = async (): Promise<unknown> => good(await runtime.sources(state)).find(({ volume }) => volume !== '')
    expect(await share()).not.toHaveProperty('isUnanswered')
    const mountPoint = (await docker('volume', 'inspect', '-f', '{{.Mountpoint}}', `${stack.project}_share`)).trim()
    const mount = await makeHangingMount(mountPoint)
    onTestFinished(() => mount.remove())
    await mount.hang()
    expect(await share()).toMatchObject({ isUnanswered: true, canBeRead: false, services: ['web'] })
    await mount.answer()
  }, 60_000)
})

test('the mount of a path is the one that nothing hides', () => {
  const mounts = readMounts(['20 1 8:1 / / rw - ext4 /dev/sda1 rw', '30 20 8:2 /@ /a\\040b/c rw shared:1 - btrfs /dev/sdb1 rw', '31 20 0:50 / /a\\040b rw - tmpfs none rw', '40 30 8:3 / /a\\040b/c/d rw - ext4 /dev/sdc1 rw', ''].join('\n'))
  expect(mountOf(mounts, '/a b/c/d/x')).toMatchObject({ point: '/a b', type: 'tmpfs' })
  expect(mountOf(mounts.filter(({ id }) => id !== '31'), '/a b/c/d/x')).toMatchObject({ point: '/a b/c/d', root: '/' })
  expect(mountOf(mounts.filter(({ id }) => id !== '31'), '/a b/c/dx')).toMatchObject({ point: '/a b/c', root: '/@' })
  expect(mountOf(mounts, '/etc')).toMatchObject({ point: '/' })
})
