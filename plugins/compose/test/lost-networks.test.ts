import { expect, onTestFinished, test } from 'vitest'

import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { freeSubnet } from '../../../test/fixtures/free-subnet.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

test('networks that were removed while the stack was stopped are made again, and its containers connected as they were', async () => {
  const { runtime } = await liveRuntime()
  const subnet = freeSubnet()
  const networks = { inner: { ipam: { config: [{ subnet: `${subnet}.0/24` }] }, internal: true, labels: { mine: 'yes' } } }
  const stack = await liveStack({ compose: { services: { web: service({ networks: { inner: { ipv4_address: `${subnet}.7`, aliases: ['shop'] } } }), other: service({ networks: ['inner', 'default'] }) }, networks } })
  const containers = await stack.containers()
  const state = await look(runtime, stack.directory)
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await docker('network', 'rm', `${stack.project}_inner`, `${stack.project}_default`)

  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 30_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 30_000 })).isUp).toBe(true)
  expect(await stack.containers()).toEqual(containers)
  expect(await docker('network', 'inspect', '-f', '{{.Internal}} {{.Labels.mine}} {{(index .IPAM.Config 0).Subnet}}', `${stack.project}_inner`)).toContain(`true yes ${subnet}.0/24`)
  expect(await docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${stack.project}_inner").IPAddress}}`, `${stack.project}-web-1`)).toContain(`${subnet}.7`)
  expect(await docker('exec', `${stack.project}-other-1`, 'ping', '-c', '1', '-W', '5', 'shop')).toContain(`${subnet}.7`)
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).whyNotDown).toEqual([])
})

test('a network that Compose does not make is named when it is gone', async () => {
  const { runtime } = await liveRuntime()
  const name = `stackbk-test-outer-${process.pid}`
  await docker('network', 'create', name)
  onTestFinished(async () => void (await docker('network', 'rm', name).catch(() => '')))
  const stack = await liveStack({ compose: { services: { web: service({ networks: ['outer'] }) }, networks: { outer: { external: true, name } } } })
  const state = await look(runtime, stack.directory)
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await docker('network', 'rm', name)
  const started = await runtime.start(state, { mode: 'stop', healthTimeoutMs: 30_000 })
  expect(started).toMatchObject({ ok: false, failure: { message: expect.stringMatching(new RegExp(`the network ${name} was removed, and could not be made again: .*external`, 's')) as string, fix: `Make the network ${name}, then run: stackbk resume` } })

  await docker('network', 'create', name)
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 30_000 }))
  expect(await stack.running()).toEqual(['web'])
})

test('where several containers cannot be started, each has its reason', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { one: service(), two: service() } } })
  const state = await look(runtime, stack.directory)
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await docker('network', 'rm', `${stack.project}_default`)
  await stack.write('compose.yaml', 'services: [')
  const started = await runtime.start(state, { mode: 'stop', healthTimeoutMs: 30_000 })
  const message = started.ok ? '' : started.failure.message.replaceAll(stack.project, 'P')
  for (const name of ['one', 'two']) expect(message).toMatch(new RegExp(`docker start of P-${name}-1 failed: .*compose up of ${name}`, 's'))
})
