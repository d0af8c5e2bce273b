import { mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import type { Runtime, StackState } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { containersOf, good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

/** Sets variables of our own environment until the test ends. */
function withVariables(variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables)
  onTestFinished(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
}

function composeCalls(calls: readonly string[]): string[] {
  return calls.filter((call) => / --project-directory /.test(` ${call}`))
}

async function planned(runtime: Runtime, state: StackState) {
  const [preflight, sources, capsule] = await Promise.all([runtime.preflight(state), runtime.sources(state), runtime.describe(state)])
  return { preflight: good(preflight), sources: good(sources), capsule: good(capsule) }
}

const usualFile = (project: string): string => `
name: ${project}
services:
  web:
    image: ${testImage}
    command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait"]
    env_file: app.env
    environment:
      PASSWORD: \${RESTIC_PASSWORD}
      FOLDER: \${PWD}/data
      MARKUP: "<a>&$$HOME"
    labels:
      b: "2"
      a: "1"
    volumes: ["data:/data", "./local:/local"]
volumes:
  data:
`

test("a stack's own variables count, ours do not, and Compose is asked for its model once", async () => {
  const { runtime, calls } = await liveRuntime()
  const stack = await liveStack({ compose: '', isUp: false, files: { '.env': 'RESTIC_PASSWORD=of-the-stack\n', 'app.env': 'QUOTED="a b"\n' } })
  await stack.write('compose.yaml', usualFile(stack.project))
  await stack.up()
  withVariables({ RESTIC_PASSWORD: 'of-the-backup' })
  const state = await look(runtime, stack.directory)
  const { preflight, sources, capsule } = await planned(runtime, state)
  expect(preflight).toMatchObject({ model: { ok: true }, whyNotDown: [] })
  expect(sources.map((source) => source.volume || source.path)).toEqual([stack.directory, `${stack.project}_data`])
  expect(JSON.stringify(capsule)).toContain('of-the-stack')
  expect(JSON.stringify(capsule)).not.toContain('of-the-backup')
  expect(JSON.stringify(capsule)).toContain(`${stack.directory}/data`)
  expect(composeCalls(calls).filter((call) => call.includes(' config '))).toHaveLength(1)
  // Looked at again, nothing has changed: nothing is asked again.
  await planned(runtime, await look(runtime, stack.directory))
  expect(composeCalls(calls).filter((call) => call.includes(' config '))).toHaveLength(1)
  await stopAndStart(runtime, state, 'down')
  expect(await docker('inspect', `${stack.project}-web-1`, '--format', '{{json .Config.Env}}')).toContain('PASSWORD=of-the-stack')
  // A file that it reads has changed: it is asked again, and for the hash too.
  await stack.write('app.env', 'QUOTED=other\n')
  const { preflight: changed } = await planned(runtime, await look(runtime, stack.directory))
  expect(changed.whyNotDown).toEqual(['service web was changed in the compose file or what it reads, and the change was not applied yet'])
})

test('a variable of ours that COMPOSE_ENV lists reaches Compose; without it the stack is never taken down', async () => {
  withVariables({ STACKBK_TEST_TOKEN: 'token' })
  const stack = await liveStack({ compose: { services: { web: service({ environment: { TOKEN: '${STACKBK_TEST_TOKEN}' } }) } } })
  const listed = await liveRuntime({ COMPOSE_ENV: ['STACKBK_TEST_TOKEN'] })
  expect(good(await listed.runtime.preflight(await look(listed.runtime, stack.directory)))).toMatchObject({ model: { ok: true }, whyNotDown: [] })
  const { runtime } = await liveRuntime()
  const { whyNeverDown } = good(await runtime.preflight(await look(runtime, stack.directory)))
  expect(whyNeverDown).toEqual(['service web would be made with blank variables: nothing sets STACKBK_TEST_TOKEN (COMPOSE_ENV does not list STACKBK_TEST_TOKEN)'])
})

test('a stack whose model needs a variable that is gone is stopped and started as it is', async () => {
  withVariables({ STACKBK_TEST_SECRET: 'secret' })
  const stack = await liveStack({
    compose: { services: { web: service({ environment: { SECRET: '${STACKBK_TEST_SECRET:?is needed}' }, volumes: ['used:/used'] }), later: service({ profiles: ['later'], volumes: ['unused:/unused'] }) }, volumes: { used: {}, unused: {} } },
  })
  await docker('volume', 'create', '--label', `com.docker.compose.project=${stack.project}`, '--label', 'com.docker.compose.volume=unused', `${stack.project}_unused`)
  onTestFinished(async () => void (await docker('volume', 'rm', '-f', `${stack.project}_unused`)))
  delete process.env['STACKBK_TEST_SECRET']
  const { runtime, calls } = await liveRuntime()
  const state = await look(runtime, stack.directory)
  const { preflight, sources } = await planned(runtime, state)
  expect(preflight.model).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
  expect(preflight.canStartWithoutModel).toBe(true)
  expect(sources.flatMap((source) => source.volume || []).sort()).toEqual([`${stack.project}_unused`, `${stack.project}_used`])
  const asked = composeCalls(calls).length
  const since = new Date()
  expect(good(await runtime.stop(state, { mode: 'stop', graceSeconds: 5 })).stillRunning).toEqual([])
  good(await runtime.start(state, { mode: 'stop', healthTimeoutMs: 30_000 }))
  expect(good(await runtime.waitUntilUp(state, { since, timeoutMs: 30_000 }))).toMatchObject({ isUp: true })
  expect(composeCalls(calls)).toHaveLength(asked)
  await stopAndStart(runtime, await look(runtime, stack.directory), 'pause')
  expect(containersOf(await look(runtime, stack.directory)).map(({ id }) => id)).toEqual(containersOf(state).map(({ id }) => id))
})

test('a stack whose file is no YAML any more has its volumes by their label', async () => {
  const stack = await liveStack({ compose: { services: { web: service({ volumes: ['used:/used'] }) }, volumes: { used: {} } } })
  await docker('volume', 'create', '--label', `com.docker.compose.project=${stack.project}`, `${stack.project}_older`)
  onTestFinished(async () => void (await docker('volume', 'rm', '-f', `${stack.project}_older`)))
  await stack.write('compose.yaml', 'services: [broken\n')
  const { runtime } = await liveRuntime()
  const { preflight, sources } = await planned(runtime, await look(runtime, stack.directory))
  expect(preflight).toMatchObject({ model: { ok: false }, canStartWithoutModel: true })
  expect(sources.flatMap((source) => source.volume || []).sort()).toEqual([`${stack.project}_older`, `${stack.project}_used`])
})

test('every document of a compose file is read, with what it includes', async () => {
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-outside-'))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  const files: Readonly<Record<string, string>> = {
    'first.env': '',
    'second.env': '',
    'included.yaml': `services:\n  inner:\n    image: ${testImage}\n    env_file: inner.env\n    volumes: ["deep:/deep"]\nvolumes:\n  deep:\n`,
    'inner.env': '',
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(outside, name), content)
  const stack = await liveStack({
    isUp: false,
    compose: `services:\n  web:\n    image: ${testImage}\n    env_file: ${outside}/first.env\n---\ninclude:\n  - ${outside}/included.yaml\nservices:\n  web:\n    env_file: ${outside}/second.env\n`,
  })
  const { runtime } = await liveRuntime()
  const sources = good(await runtime.sources(await look(runtime, stack.directory)))
  expect(sources.filter(({ kind }) => kind === 'model-file').map(({ path }) => basename(path)).sort()).toEqual(Object.keys(files).sort())
  expect(sources.filter(({ missing }) => missing === 'nowhere').map(({ volume }) => volume)).toEqual([`${stack.project}_deep`])
})

test('a volume that is declared and not there is named, with the container that seems to have its data', async () => {
  const web = service({ volumes: ['data:/data'] })
  const stack = await liveStack({ isUp: false, compose: { services: { web, debug: service({ profiles: ['debug'], volumes: ['dump:/dump'] }) }, volumes: { data: {}, dump: {} } } })
  const { runtime } = await liveRuntime()
  const missing = async () => good(await runtime.sources(await look(runtime, stack.directory))).filter((source) => source.missing !== undefined)
  expect(await missing()).toMatchObject([{ volume: `${stack.project}_data`, services: ['web'], canBeRead: false, missing: 'nowhere', whyNot: 'there is no volume of this name' }])
  // The same file in another folder of this host is a stack of its own, and its data is its own.
  const elsewhere = await liveStack({ compose: { services: { web }, volumes: { data: {} } } })
  expect(await missing()).toMatchObject([{ missing: 'nowhere' }])
  // What was started from a folder that this host does not have, as a manager with folders of its own does it.
  await rename(elsewhere.directory, `${elsewhere.directory}-away`)
  const seen = await missing()
  await rename(`${elsewhere.directory}-away`, elsewhere.directory)
  expect(seen).toMatchObject([{ missing: 'elsewhere', whyNot: expect.stringContaining(`the volume ${elsewhere.project}_data in its place`) }])
})
