import { createExec } from '@stackbk/tool-runner'
import { expect, onTestFinished, test } from 'vitest'

import { createDocker, type Docker } from '../src/docker.js'
import { localImages } from '../src/images.js'
import { findImages } from '../src/recorded-images.js'
import { startFakeEngine } from './fake-engine.js'
import { good } from './runtime-for-test.js'

const id = (digit: string): string => `sha256:${digit.repeat(64)}`
const image = (digit: string, tags: readonly string[] = []): object => ({ Id: id(digit), RepoTags: tags, RepoDigests: tags.map((tag) => `${tag.split(':')[0]}@${id(digit)}`) })

async function imagesOf(answers: Readonly<Record<string, object>>): Promise<Docker> {
  const { socketPath } = await startFakeEngine({ apiVersion: '1.45', answers: Object.fromEntries(Object.entries(answers).map(([name, answer]) => [`/images/${name}/json`, answer])) })
  const docker = createDocker(createExec(), [], { socketPath: async () => ({ ok: true, value: socketPath }) })
  onTestFinished(() => docker.engine.close())
  return docker
}

test('each image has the ID of its own name, whichever of them the engine lacks and however often one is asked for', async () => {
  const names = Array.from({ length: 20 }, (_, at) => `app${at}`)
  const held = names.filter((_, at) => at % 3 !== 0)
  const digit = (name: string): string => (Number(name.slice(3)) % 16).toString(16)
  const docker = await imagesOf(Object.fromEntries(held.map((name) => [name, image(digit(name), [`${name}:latest`])])))
  const found = good(await localImages(docker, [...names, ...names, '', 'a//b']))
  expect([...found.keys()]).toEqual(held)
  for (const name of held) expect(found.get(name)).toEqual({ id: id(digit(name)), digests: [`${name}@${id(digit(name))}`] })
})

test('the images of a capsule are found by their own ID although another one of it is gone', async () => {
  const docker = await imagesOf({ [encodeURIComponent(id('2'))]: image('2', ['two:1']), 'two%3A1': image('9', ['two:1']), 'one%3A1': image('5', ['one:1']) })
  const capsule = [
    { service: 'one', reference: 'one:1', id: id('1'), digests: [] },
    { service: 'two', reference: 'two:1', id: id('2'), digests: [] },
    { service: 'three', reference: 'three:1', id: id('3'), digests: [] },
  ]
  const found = good(await findImages(docker, capsule))
  expect(capsule.map((one) => found.get(one))).toMatchObject([{ is: 'other', id: id('5') }, { is: 'recorded', id: id('2') }, { is: 'absent' }])
})

test('an image whose name could be the start of an ID is found by its name alone', async () => {
  const docker = await imagesOf({ cafe: image('c', ['other:1']), beef: image('b', ['beef:latest']), [`${'d'.repeat(12)}`]: image('d', ['third:1']) })
  const found = good(await localImages(docker, ['cafe', 'beef', 'd'.repeat(12)]))
  expect([...found.keys()]).toEqual(['beef', 'd'.repeat(12)])
})
