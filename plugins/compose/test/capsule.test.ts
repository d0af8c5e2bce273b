import { readFileSync } from 'node:fs'

import type { Capsule } from '@stackbk/contract'
import { Ajv } from 'ajv'
import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { docker, healthyCommand, quickHealthcheck, service } from '../../../test/fixtures/compose-stack.js'
import { freeSubnet } from '../../../test/fixtures/free-subnet.js'
import { containersOf, good, liveRuntime, liveStack, look } from './runtime-for-test.js'

type Schema = Record<string, unknown>
const schema = JSON.parse(readFileSync(new URL('../../../packages/contract/schema/capsule.schema.json', import.meta.url), 'utf8')) as Schema

/** What the schema has against it; empty when it is one. */
function faults(capsule: unknown, of: Schema = schema): string[] {
  const ajv = new Ajv({ allErrors: true })
  const validate = ajv.compile(of)
  return validate(capsule) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ''}`)
}

/** The same, but for keys that it does not describe, which it allows for the sake of later versions. */
function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed)
  if (typeof part !== 'object' || part === null) return part
  const entries = Object.entries(part).map(([key, value]): [string, unknown] => [key, closed(value)])
  return Object.fromEntries('properties' in part && !('additionalProperties' in part) ? [...entries, ['additionalProperties', false]] : entries)
}

test('the capsule of a rich stack is complete, and is what the schema says, no key more', async () => {
  const { runtime } = await liveRuntime()
  const subnet = freeSubnet()
  const stack = await liveStack({
    compose: {
      services: {
        db: service({ command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['data:/data', '/cache'], networks: { back: { ipv4_address: `${subnet}.9`, aliases: ['store'] } } }),
        web: service({ environment: { TOKEN: '${TOKEN}' }, depends_on: { db: { condition: 'service_healthy' } }, networks: ['back'] }),
        admin: service({ profiles: ['ops'], networks: ['back'] }),
        unused: service({ profiles: ['never'] }),
        halted: service({ networks: ['back'] }),
        frozen: service({ network_mode: 'none' }),
      },
      volumes: { data: { labels: { keep: 'yes' }, driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } } },
      networks: { back: { internal: true, ipam: { config: [{ subnet: `${subnet}.0/24` }] } } },
    },
    files: { 'more.yaml': JSON.stringify({ services: { web: { labels: { more: 'yes' } } } }), 'values.env': 'TOKEN=of-the-file\n' },
    isUp: false,
  })
  const project = `${stack.project}-blue`
  const foreign = `${stack.project}-foreign`
  stack.alsoRemove(project)
  const compose = (...args: string[]): Promise<string> => stack.compose('-p', project, '-f', 'compose.yaml', '-f', 'more.yaml', '--env-file', 'values.env', ...args)
  await compose('--profile', 'ops', 'up', '-d', '--scale', 'web=2')
  await compose('stop', '-t', '5', 'halted')
  await compose('pause', 'frozen')
  await docker('network', 'create', '--attachable', '--label', 'com.docker.compose.network=back', '--label', 'com.docker.compose.project=another', foreign)
  onTestFinished(async () => void (await docker('network', 'rm', foreign)))
  await docker('network', 'connect', foreign, `${project}-admin-1`)
  onTestFinished(() => docker('rm', '-f', `${project}-admin-1`).then(() => {}, () => {}))
  await compose('run', '-d', '--no-deps', '--name', `${project}-once`, 'admin')

  const state = await look(runtime, stack.directory)
  const capsule = good(await runtime.describe(state))
  expect(faults(capsule, closed(schema) as Schema)).toEqual([])

  expect(capsule).toMatchObject({ condition: 'running', directory: stack.directory, engine: { name: 'docker' }, ended: [] })
  expect(capsule.projects).toHaveLength(1)
  const [about] = capsule.projects
  expect(about).toMatchObject({
    name: project,
    configFiles: [`${stack.directory}/compose.yaml`, `${stack.directory}/more.yaml`],
    environmentFiles: [`${stack.directory}/values.env`],
    profiles: ['ops'],
    replicas: { admin: 1, db: 1, frozen: 1, web: 2 },
    pausedServices: ['frozen'],
    stoppedServices: ['halted'],
  })
  const services = (about!.model as { services: Record<string, { environment?: object; labels?: object; networks?: Record<string, object> }> }).services
  expect(services['web']).toMatchObject({ environment: { TOKEN: 'of-the-file' }, labels: { more: 'yes' } })
  expect(services['db']?.networks?.['back']).toMatchObject({ ipv4_address: `${subnet}.9`, aliases: ['store'] })
  const imageId = containersOf(state)[0]!.image.id
  expect(about!.images.map(({ service: name }) => name).sort()).toEqual(['admin', 'db', 'frozen', 'halted', 'unused', 'web'])
  for (const image of about!.images) expect(image).toEqual({ service: image.service, reference: testImage, id: imageId, digests: [] })
  expect(about!.volumes.find(({ key }) => key === 'data')).toMatchObject({ name: `${project}_data`, driver: 'local', options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }, isExternal: false, target: '/data' })
  expect(about!.volumes.find(({ key }) => key === 'data')?.labels).toMatchObject({ keep: 'yes' })
  expect(about!.volumes.find(({ isAnonymous }) => isAnonymous)).toMatchObject({ key: '', service: 'db', containerNumber: 1, target: '/cache', path: expect.stringContaining('/_data') })
  expect(about!.networks.find(({ name }) => name === `${project}_back`)).toMatchObject({ key: 'back', isExternal: false, isInternal: true, isAttachable: false, subnets: [{ subnet: `${subnet}.0/24` }] })
  // The label is that of the project which made it, and means another network there.
  expect(about!.networks.find(({ name }) => name === foreign)).toMatchObject({ key: '', isExternal: true, isAttachable: true })
  expect(capsule.notes).toEqual([`${project}-once is a one-off container`, `${project}-admin-1 was connected to network ${foreign} by hand`])
})

test('a variable that was set when the stack was started and is not any more is told of in the capsule', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ environment: { TOKEN: '${STACKBK_TEST_TOKEN:-}' } }) } }, isUp: false })
  process.env['STACKBK_TEST_TOKEN'] = 'of-the-shell'
  try {
    await stack.up()
  } finally {
    delete process.env['STACKBK_TEST_TOKEN']
  }
  const capsule = good(await runtime.describe(await look(runtime, stack.directory)))
  expect(capsule.notes).toEqual(['service web was changed in the compose file or what it reads, and the change was not applied yet'])
})

test('the capsule of a stack that was never created, and of one whose model does not resolve, is one too', async () => {
  const { runtime } = await liveRuntime()
  const never = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  const broken = await liveStack({ compose: { services: { web: service() } } })
  await broken.write('compose.yaml', 'services: [')
  for (const stack of [never, broken]) expect(faults(good(await runtime.describe(await look(runtime, stack.directory))), closed(schema) as Schema)).toEqual([])
})

test('what is no capsule the schema refuses, with the place', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  const capsule = good(await runtime.describe(await look(runtime, stack.directory)))
  const project = capsule.projects[0]!
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ ...capsule, schemaVersion: 2 }, '/schemaVersion must be equal to constant'],
    [{ ...capsule, condition: 'sleeping' }, '/condition must be equal to one of the allowed values'],
    [{ ...capsule, projects: [{ ...project, replicas: { web: 'two' } }] }, '/projects/0/replicas/web must be number'],
    [{ ...capsule, projects: [{ ...project, images: [{ service: 'web' }] }] }, "/projects/0/images/0 must have required property 'reference'"],
    [{ ...capsule, ended: [{ containerId: 'x', name: 'x', service: 'x', project: 'x', exitCode: 'none', wasKilled: false, graceSeconds: 10, at: '' }] }, '/ended/0/exitCode must be number'],
    [{}, " must have required property 'schemaVersion'"],
  ] satisfies [Partial<Record<keyof Capsule, unknown>>, string][]
  for (const [no, fault] of wrong) expect(faults(no)).toContain(fault)
  expect(faults({ ...capsule, ofALaterVersion: true })).toEqual([])
})
