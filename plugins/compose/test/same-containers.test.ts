import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Capsule } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { importImage } from '../../../test/fixtures/busybox-image.js'
import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { freeSubnet } from '../../../test/fixtures/free-subnet.js'
import { containersOf, good, liveRuntime, liveStack, look } from './runtime-for-test.js'

interface Inspected {
  readonly Id: string
  readonly Image: string
  readonly HostConfig: { readonly NetworkMode: string; readonly PidMode: string }
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string; readonly MacAddress: string }> }
  readonly Mounts: readonly { readonly Name: string }[]
}

test('containers that were removed come back without a compose file: networks that are gone too, fixed addresses, what they share, their image', async () => {
  const { runtime } = await liveRuntime()
  const reference = `stackbk-test/same:${process.pid}`
  await importImage(reference, ['VOLUME /data'])
  const first = await docker('image', 'inspect', '--format', '{{.Id}}', reference)
  // After the stack, which is removed before what was made before it.
  onTestFinished(async () => {
    await docker('image', 'rm', '-f', reference, first)
  })
  const subnet = freeSubnet()
  const stack = await liveStack({
    compose: {
      services: {
        db: service({ image: reference, networks: { fixed: { ipv4_address: `${subnet}.9`, mac_address: '02:42:aa:bb:cc:dd' }, default: {} } }),
        watcher: service({ network_mode: 'service:db', pid: 'service:db' }),
      },
      networks: { fixed: { ipam: { config: [{ subnet: `${subnet}.0/24` }] } } },
    },
  })
  const inspected = async (name: string): Promise<Inspected> => (JSON.parse(await docker('inspect', `${stack.project}-${name}-1`)) as [Inspected])[0]
  const before = await inspected('db')
  writeFileSync(join(stack.directory, 'compose.yaml'), 'services: [')
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.describe(state)).projects[0]).not.toHaveProperty('containers')
  const capsule = JSON.parse(JSON.stringify(good(await runtime.describe(state, { withContainers: true })))) as Capsule
  good(await runtime.stop(state, { mode: 'down', graceSeconds: 5 }))
  expect(containersOf(await look(runtime, stack.directory))).toEqual([])
  await docker('network', 'rm', `${stack.project}_fixed`, `${stack.project}_default`)
  await importImage(reference, ['ENV OTHER=1'])

  const report = good(await runtime.rebuild(capsule, { directory: stack.directory, services: [], images: 'local', allowHostVolumes: true, noStart: false, healthTimeoutMs: 30_000, fillVolumes: () => Promise.reject(new Error('there is nothing to fill')) }))
  expect(report).toEqual({ isUp: true, missing: [], completed: [], unprovenImages: [], losses: [] })
  const [db, watcher] = [await inspected('db'), await inspected('watcher')]
  expect([db.Image, db.Mounts.map(({ Name }) => Name)]).toEqual([before.Image, before.Mounts.map(({ Name }) => Name)])
  expect(Object.keys(db.NetworkSettings.Networks).sort()).toEqual([`${stack.project}_default`, `${stack.project}_fixed`])
  const fixed = { IPAddress: `${subnet}.9`, MacAddress: '02:42:aa:bb:cc:dd' }
  for (const { NetworkSettings } of [before, db]) expect(NetworkSettings.Networks[`${stack.project}_fixed`]).toMatchObject(fixed)
  expect([watcher.HostConfig.NetworkMode, watcher.HostConfig.PidMode]).toEqual([`container:${db.Id}`, `container:${db.Id}`])
})
