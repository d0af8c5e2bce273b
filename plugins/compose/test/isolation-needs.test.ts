import type { Capsule } from '@stackbk/contract'
import { answered } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { expect, onTestFinished, test } from 'vitest'

import { createDocker } from '../src/docker.js'
import { isolationNeeds } from '../src/isolation-needs.js'
import { startFakeEngine } from './fake-engine.js'

const mebibyte = 1024 ** 2

/** What a stack with these services needs, of which some run on this engine and use this much memory. */
async function needsOf(services: Readonly<Record<string, object>>, { replicas = Object.fromEntries(Object.keys(services).map((service) => [service, 1])), running = {} }: { replicas?: Readonly<Record<string, number>>; running?: Readonly<Record<string, object | number>> } = {}): Promise<unknown> {
  const { socketPath } = await startFakeEngine({
    apiVersion: '1.45',
    answers: {
      '/containers/json': Object.keys(running).map((service) => ({ Id: service, Names: [`/${service}`], State: 'running', Labels: { 'com.docker.compose.project': 'web', 'com.docker.compose.service': service } })),
      ...Object.fromEntries(Object.entries(running).map(([service, memory]) => [`/containers/${service}/stats`, typeof memory === 'number' ? memory : { memory_stats: memory }])),
    },
  })
  const docker = createDocker(createExec(), [], { socketPath: () => Promise.resolve(answered(socketPath)) })
  onTestFinished(() => docker.engine.close())
  const capsule = { projects: [{ name: 'web', replicas, model: { services } }] } as unknown as Capsule
  const needs = await isolationNeeds(docker, capsule)
  return needs.ok ? needs.value : needs.failure
}

test('counts each network once, and none for a service that has none of its own', async () => {
  const services = { a: { networks: { inner: null, outer: null } }, b: { networks: { inner: {} } }, c: {}, d: { network_mode: 'none' }, e: { network_mode: 'service:a' }, f: { network_mode: 'host' }, stopped: { networks: { other: null } } }
  const replicas = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((service) => [service, 1]))
  expect(await needsOf(services, { replicas })).toMatchObject({ networks: 3 })
  expect(await needsOf({ only: { network_mode: 'none' } })).toMatchObject({ networks: 0 })
})

test('counts the memory that a service uses now, or else its limit, for each of its containers', async () => {
  const services = { used: { mem_limit: String(900 * mebibyte) }, limited: { mem_limit: String(100 * mebibyte) }, deployed: { deploy: { resources: { limits: { memory: String(50 * mebibyte) } } } }, unknown: {} }
  const running = { used: { usage: 300 * mebibyte, stats: { inactive_file: 100 * mebibyte } } }
  expect(await needsOf(services, { replicas: { used: 1, limited: 2, deployed: 1, unknown: 3 }, running })).toEqual({ networks: 1, memoryBytes: 450 * mebibyte, containersOfUnknownMemory: 3 })
})

test('goes by the limit where the engine does not say what a container uses', async () => {
  expect(await needsOf({ app: { mem_limit: String(mebibyte) } }, { running: { app: 500 } })).toMatchObject({ memoryBytes: mebibyte, containersOfUnknownMemory: 0 })
  expect(await needsOf({ app: {} }, { running: { app: { usage: 0 } } })).toMatchObject({ memoryBytes: 0, containersOfUnknownMemory: 1 })
})
