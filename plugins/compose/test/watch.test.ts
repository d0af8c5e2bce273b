import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { docker, healthyCommand, quickHealthcheck, service } from '../../../test/fixtures/compose-stack.js'
import { sampled } from '../../../test/fixtures/sampled.js'
import { good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

const compose = {
  services: {
    web: service({ volumes: ['data:/data'] }),
    db: service({ command: healthyCommand, healthcheck: quickHealthcheck(), depends_on: ['web'] }),
  },
  volumes: { data: {} },
}

test.each(sampled(['down', 'stop'] as const))('the downtime by mode %s is from the first end to the last start, and readiness comes with health', async (mode) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose })
  await expect.poll(async () => (await look(runtime, stack.directory)).projects[0]?.containers[0]?.health, { timeout: 20_000 }).toBe('healthy')
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  const before = Date.now()
  await stopAndStart(runtime, state, mode)
  const after = Date.now()
  const report = watch.report()
  await watch.close()
  const { firstStopAt, lastStartAt, readyAt } = report
  expect(report.isLossy).toBe(false)
  expect(before).toBeLessThanOrEqual(firstStopAt!)
  expect(firstStopAt).toBeLessThan(lastStartAt!)
  expect(lastStartAt).toBeLessThan(readyAt!)
  expect(readyAt).toBeLessThanOrEqual(after)
  expect(report.ended.map((end) => [end.service, end.exitCode])).toEqual([['db', 0], ['web', 0]])
})

test('a pause has its downtime too, from pause to unpause', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose })
  await expect.poll(async () => (await look(runtime, stack.directory)).projects[0]?.containers[0]?.health, { timeout: 20_000 }).toBe('healthy')
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  await stopAndStart(runtime, state, 'pause')
  const { firstStopAt, lastStartAt, readyAt, ended } = watch.report()
  expect(firstStopAt).toBeLessThanOrEqual(lastStartAt!)
  expect(readyAt).toBeGreaterThan(lastStartAt!)
  expect(ended).toEqual([])
})

test('several watches listen at the same time, each from its own beginning', async () => {
  const { runtime } = await liveRuntime()
  const one = await liveStack({ compose: { services: { web: service() } } })
  const other = await liveStack({ compose: { services: { web: service() } } })
  const [first, second] = good(await runtime.inspect([one.directory, other.directory]))
  const watchOne = good(await runtime.watch(first!))
  await one.compose('restart', '-t', '5')
  const watchOther = good(await runtime.watch(second!))
  await other.compose('restart', '-t', '5')
  await expect.poll(() => watchOther.report().starts.length).toBe(1)
  expect([watchOne.report().ended.length, watchOther.report().ended.length]).toEqual([1, 1])
  expect(watchOther.report().ended[0]?.name).toBe(`${other.project}-web-1`)
})

test('a container of elsewhere that starts meanwhile counts if it uses the same place, and does not if it does not', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose })
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  const names = ['user', 'stranger'].map((name) => `${stack.project}-${name}`)
  onTestFinished(async () => void (await docker('rm', '-f', ...names)))
  await docker('run', '-d', '--network', 'none', '--name', names[1]!, testImage, 'sleep', '1000')
  await docker('run', '-d', '--network', 'none', '--name', names[0]!, '-v', `${stack.project}_data:/x`, testImage, 'sleep', '1000')
  await expect.poll(() => watch.report().starts).toMatchObject([{ container: names[0], isOfStack: false }])
})

test('a restart by somebody else while the stack is down is heard', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  await stack.compose('start')
  await expect.poll(() => watch.report().starts).toMatchObject([{ isOfStack: true }])
})

test('a stream that ends is said to be lossy, and nothing is heard after the end of the run', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  await runtime.close()
  expect(watch.report().isLossy).toBe(true)
  expect(await runtime.watch(state)).toMatchObject({ ok: false })
})
