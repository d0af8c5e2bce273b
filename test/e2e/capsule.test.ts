import { readFileSync } from 'node:fs'

import type { Capsule } from '@stackbk/contract'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { politeCommand, stubbornCommand } from '../fixtures/compose-stack.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, type World } from '../fixtures/world.js'

const schema = JSON.parse(readFileSync(new URL('../../packages/contract/schema/capsule.schema.json', import.meta.url), 'utf8')) as object

let world: World
beforeAll(async () => {
  world = await makeWorld({ settings: { docker: { DOCKER_TIMEOUT: 10 }, local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
})
afterAll(() => world.remove())

async function capsuleIn(snapshot: string): Promise<Capsule> {
  const { paths } = (await world.snapshots()).find(({ id }) => id === snapshot)!
  return JSON.parse(await world.restic('dump', '--no-lock', snapshot, paths.find((path) => path.endsWith('/stackbk-capsule.json'))!)) as Capsule
}

it.each(sampled(['stop', 'down'] as const))('defect 21: the capsule in a snapshot is what its schema says, and says how each container ended, by mode %s', async (mode) => {
  // Its own is shorter than what is configured.
  const grace = 2
  const stack = await world.stack(`ends-${mode}`, {
    services: {
      deaf: { image: testImage, command: stubbornCommand, network_mode: 'none', stop_grace_period: '2s' },
      polite: { image: testImage, command: politeCommand, network_mode: 'none' },
      failing: { image: testImage, command: ['sh', '-c', "trap 'exit 7' TERM; sleep 1000000 & wait"], network_mode: 'none' },
    },
  })
  const call = await world.backup([stack.name, '--stop-mode', mode])
  expect([call.exitCode, call.stack(stack.name).problems.map(({ code }) => code)]).toEqual([0, ['killed-after-grace']])
  expect(call.stack(stack.name).problems[0]?.message).toBe(`deaf did not stop within ${grace} s of SIGTERM and was killed: its data may not be clean`)
  const capsule = await capsuleIn(call.stack(stack.name).snapshot!.id)
  const validate = new Ajv({ allErrors: true }).compile(schema)
  expect([validate(capsule), validate.errors]).toEqual([true, null])
  expect(capsule).toMatchObject({ stack: stack.name, host: 'testhost', condition: 'running' })
  const ends = Object.fromEntries(capsule.ended.map((end) => [end.service, [end.exitCode, end.wasKilled, end.graceSeconds]]))
  expect(ends).toEqual({ deaf: [137, true, grace], polite: [0, false, 10], failing: [7, false, 10] })
})
