import { describe, expect, onTestFinished, test } from 'vitest'

import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { until } from '../../../test/fixtures/until.js'
import { crashedLately, readContainer, toState } from '../src/container.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

const describedAs = (state: object, restartCount: number): unknown => ({
  Id: 'abc', Name: '/web-app-1', RestartCount: restartCount, State: state, Config: { Labels: { 'com.docker.compose.project': 'web', 'com.docker.compose.service': 'app' } }, HostConfig: { RestartPolicy: { Name: 'always' } },
})
const justNow = (): string => new Date(Date.now() - 500).toISOString()
const longAgo = new Date(Date.now() - 3_600_000).toISOString()

describe('a container that its policy has restarted', () => {
  const running = (startedAt: string, restartCount: number): ReturnType<typeof readContainer> => readContainer(describedAs({ Status: 'running', StartedAt: startedAt, ExitCode: 0 }, restartCount))

  test.each([
    ['after exit code 1', 3, 1, true],
    ['after it was killed', 3, 137, true],
    ['after an end that no event showed', 3, undefined, true],
    ['after exit code 0', 3, 0, false],
    ['never', 0, undefined, false],
  ])('%s has crashed, or has not', (_, restartCount, lastExitCode, hasCrashed) => {
    expect(crashedLately(running(justNow(), restartCount), lastExitCode)).toBe(hasCrashed)
    expect(crashedLately(running(longAgo, restartCount), lastExitCode)).toBe(false)
    expect(toState(running(justNow(), restartCount), () => lastExitCode).condition).toBe(hasCrashed ? 'restarting' : 'running')
  })

  test('says how its last run ended while it waits for the next one', () => {
    const waiting = readContainer(describedAs({ Status: 'restarting', StartedAt: justNow(), ExitCode: 3 }, 2))
    expect(toState(waiting)).toMatchObject({ condition: 'restarting', exitCode: 3, lastExitCode: 3, restartCount: 2 })
    expect(toState(running(justNow(), 2), () => 0)).toMatchObject({ condition: 'running', exitCode: null, lastExitCode: 0, restartCount: 2 })
    expect(toState(running(longAgo, 0), () => 0)).not.toHaveProperty('lastExitCode')
  })
})

/** Stops and starts a stack of this one service, as a backup does, and returns whether it is up and the state afterwards. */
async function restarted(command: string): Promise<{ isUp: boolean; missing: readonly { readonly reason: string }[]; after: () => Promise<{ lastExitCode?: number; restartCount?: number } | undefined> }> {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { app: service({ command: ['sh', '-c', command], restart: 'always' }) } } })
  const state = await look(runtime, stack.directory)
  const watch = good(await runtime.watch(state))
  onTestFinished(() => watch.close())
  const since = new Date()
  good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 }))
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 20_000 }))
  const { isUp, missing } = good(await runtime.waitUntilUp(state, { since, timeoutMs: 5_000 }))
  return {
    isUp,
    missing,
    after: async () => {
      await until('it was restarted twice', async () => Number(await docker('inspect', '--format', '{{.RestartCount}}', `${stack.project}-app-1`)) > 1)
      return (await look(runtime, stack.directory)).projects[0]?.containers[0]
    },
  }
}

test('a command that ends with 0 every moment under restart: always is up, and known not to crash', async () => {
  const { isUp, missing, after } = await restarted('sleep 0.4; exit 0')
  expect([isUp, missing]).toEqual([true, []])
  expect((await after())?.lastExitCode).toBe(0)
})

test('a command that crashes after its start is not up, and known to crash', async () => {
  const command = '[ ! -e /tmp/started ] || exit 4; touch /tmp/started; trap "exit 0" TERM; while :; do sleep 0.1; done'
  const { isUp, missing, after } = await restarted(command)
  expect(isUp).toBe(false)
  expect(missing[0]?.reason).toMatch(/exit code 4|crashed/)
  expect((await after())?.lastExitCode).toBe(4)
})

test('a restart by hand is counted from 0 again', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { app: service({ command: ['sh', '-c', 'trap "exit 0" TERM; sleep 1 & wait; exit 1'], restart: 'always' }) } } })
  const name = `${stack.project}-app-1`
  await until('it was restarted', async () => Number(await docker('inspect', '--format', '{{.RestartCount}}', name)) > 0)
  await docker('restart', '-t', '5', name)
  expect((await look(runtime, stack.directory)).projects[0]?.containers[0]?.restartCount).toBe(0)
})
