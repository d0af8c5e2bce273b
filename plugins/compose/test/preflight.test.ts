import { join } from 'node:path'

import { failed } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { testImage } from '../../../test/fixtures/busybox-image.js'
import { type ComposeStackRequest, docker, service } from '../../../test/fixtures/compose-stack.js'
import { good, liveRuntime, liveStack, look, stopAndStart } from './runtime-for-test.js'

/** A stack, and what stands against taking it down after the change. */
async function reasonsAfter(request: ComposeStackRequest, change: (stack: Awaited<ReturnType<typeof liveStack>>) => Promise<unknown>): Promise<readonly string[]> {
  const { runtime } = await liveRuntime()
  const stack = await liveStack(request)
  await change(stack)
  const { model, whyNotDown } = good(await runtime.preflight(await look(runtime, stack.directory)))
  expect(model.ok).toBe(true)
  return whyNotDown.map((reason) => reason.replaceAll(stack.project, 'P'))
}

const changed = (name: string): string => `service ${name} was changed in the compose file or what it reads, and the change was not applied yet`

test('an edit of the compose file that was not applied is seen (34)', async () => {
  expect(await reasonsAfter({ compose: { services: { web: service() } } }, (stack) => stack.write('compose.yaml', { services: { web: service({ environment: { A: '1' } }) } }))).toEqual([changed('web')])
})

test('an edit of an environment file that was not applied is seen too (34)', async () => {
  const request = { compose: { services: { web: service({ env_file: ['web.env'] }), other: service() } }, files: { 'web.env': 'A=1\n' } }
  expect(await reasonsAfter(request, async () => {})).toEqual([])
  expect(await reasonsAfter(request, (stack) => stack.write('web.env', 'A=2\n'))).toEqual([changed('web')])
})

test('a byte order mark and control characters in a value keep no edit from being seen', async () => {
  const request = { compose: { services: { web: service({ env_file: ['odd.env'] }), other: service() } }, files: { 'odd.env': 'ODD=a\u007fb\ufeffc\u0081d\n' } }
  expect(await reasonsAfter(request, async () => {})).toEqual([])
  expect(await reasonsAfter(request, (stack) => stack.write('compose.yaml', { services: { web: service({ env_file: ['odd.env'] }), other: service({ environment: { A: '1' } }) } }))).toEqual([changed('other')])
})

test('dollar signs in commands and values are no difference', async () => {
  const web = service({ command: ['sh', '-c', 'trap "exit 0" TERM; echo $$HOME "$$$$"; sleep 1000000 & wait'], environment: { PRICE: '5$$' }, env_file: ['web.env'] })
  expect(await reasonsAfter({ compose: { services: { web } }, files: { 'web.env': "SECRET='a$b'\n" } }, async () => {})).toEqual([])
})

test('a variable that was set only in the shell of the `up` is seen', async () => {
  const name = 'STACKBK_TEST_VARIABLE'
  process.env[name] = 'there'
  const request = { compose: { services: { web: service({ environment: { VALUE: `\${${name}:-}` } }) } } }
  expect(await reasonsAfter(request, async () => void delete process.env[name])).toEqual([changed('web')])
})

test('a service that is no longer in the file is seen, and stop and start keep it', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service(), old: service() } } })
  await stack.write('compose.yaml', { services: { web: service() } })
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state))).toMatchObject({ model: { ok: true }, whyNotDown: ['service old is no longer in the compose file'], whyNeverDown: ['service old is no longer in the compose file'] })
  await stopAndStart(runtime, state, 'stop')
  expect(await stack.running()).toEqual(['old', 'web'])
})

test('a network joined by hand is seen', async () => {
  const reasons = await reasonsAfter({ compose: { services: { web: service() } } }, async (stack) => {
    const network = `${stack.project}-other`
    await docker('network', 'create', network)
    onTestFinished(async () => void (await docker('network', 'rm', network)))
    await docker('network', 'connect', network, `${stack.project}-web-1`)
    onTestFinished(async () => void (await docker('network', 'disconnect', '-f', network, `${stack.project}-web-1`)))
  })
  expect(reasons).toEqual(['P-web-1 was connected to network P-other by hand'])
})

test('a container of elsewhere in the network of the project is nothing against down: networks stay', async () => {
  const reasons = await reasonsAfter({ compose: { services: { web: service() } } }, async (stack) => {
    const name = `${stack.project}-guest`
    await docker('run', '-d', '--name', name, '--network', `${stack.project}_default`, testImage, 'sleep', '1000')
    onTestFinished(async () => void (await docker('rm', '-f', name)))
  })
  expect(reasons).toEqual([])
})

test('a secret that comes from the environment of whoever started the stack is seen', async () => {
  const name = 'STACKBK_TEST_SECRET'
  process.env[name] = 'hidden'
  onTestFinished(() => void delete process.env[name])
  const compose = { services: { web: service({ secrets: ['token'] }) }, secrets: { token: { environment: name } } }
  expect(await reasonsAfter({ compose }, async () => {})).toEqual(['secret token of service web is copied into the container when it is made, and may have changed'])
})

test('a config and a secret that Compose copied into the container are no data of its own', async () => {
  const name = 'STACKBK_TEST_SECRET'
  process.env[name] = 'hidden'
  onTestFinished(() => void delete process.env[name])
  const { runtime } = await liveRuntime()
  const stack = await liveStack({
    compose: {
      services: { web: service({ configs: ['plain', { source: 'placed', target: '/opt/app/settings.yaml' }], secrets: [{ source: 'token', target: '/opt/token' }] }) },
      configs: { plain: { content: 'one' }, placed: { content: 'two' } },
      secrets: { token: { environment: name } },
    },
  })
  expect(await docker('exec', `${stack.project}-web-1`, 'cat', '/plain', '/opt/app/settings.yaml', '/opt/token')).toBe('onetwohidden')
  const { dataInContainers, whyNotDown } = good(await runtime.preflight(await look(runtime, stack.directory)))
  expect([dataInContainers, whyNotDown.length]).toEqual([undefined, 3])
  expect(good((await runtime.dataInContainers?.(await look(runtime, stack.directory))) ?? failed({ kind: 'failed', message: 'absent' }))).toEqual([])
  await docker('exec', `${stack.project}-web-1`, 'sh', '-c', 'echo row > /opt/app/row')
  const { runtime: nextRun } = await liveRuntime()
  expect(good(await nextRun.preflight(await look(nextRun, stack.directory))).dataInContainers).toEqual([expect.stringMatching(/: \/opt\/app\/row$/)])
})

test('the labels of a label file are nothing unusual, and a change of theirs is seen', async () => {
  const compose = { services: { web: service({ label_file: './web.labels', labels: { own: 'yes' } }), all: service({ label_file: ['./web.labels'], env_file: './all.env' }), none: service() } }
  const files = { 'web.labels': 'of.a.file=1\n', 'all.env': 'A=1\n' }
  expect(await reasonsAfter({ compose, files }, async () => {})).toEqual([])
  expect(await reasonsAfter({ compose, files }, (stack) => stack.write('web.labels', 'of.a.file=2\n'))).toEqual([changed('all'), changed('web')])
})

test('replicas with a gap in their numbers are seen', async () => {
  const reasons = await reasonsAfter({ compose: { services: { web: service({ scale: 3 }) } } }, (stack) => docker('rm', '-f', `${stack.project}-web-2`))
  expect(reasons).toEqual(['the replicas of service web are not numbered from 1 without a gap'])
})

test('a renamed container is seen, and one whose name the file gives is not', async () => {
  const compose = { services: { web: service(), named: service({ container_name: `stackbk-test-named-${Date.now()}` }) } }
  expect(await reasonsAfter({ compose }, (stack) => docker('rename', `${stack.project}-web-1`, `${stack.project}-mine`))).toEqual(['P-mine is not the name that Compose would give it'])
})

test('a host network, a shared network namespace, a bind and the volumes of another service are nothing unusual', async () => {
  const compose = { services: { web: service({ network_mode: 'host' }), vpn: service(), behind: service({ network_mode: 'service:vpn' }), files: service({ volumes: ['./files:/files'] }), borrower: service({ volumes_from: ['files:ro'] }) } }
  expect(await reasonsAfter({ compose }, async () => {})).toEqual([])
})

test('a container that removes itself would be lost by any stop', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await stack.compose('run', '-d', '--rm', '--name', `${stack.project}-task`, 'web')
  const { wouldLose } = good(await runtime.preflight(await look(runtime, stack.directory)))
  expect(wouldLose).toEqual([`${stack.project}-task removes itself when it ends (--rm)`])
})

test('a vanished compose file is a model that does not resolve', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await stack.compose('config', '-o', join(stack.directory, 'other.yaml'))
  const state = await look(runtime, stack.directory)
  const moved = { ...state, projects: state.projects.map((project) => ({ ...project, configFiles: [join(stack.directory, 'gone.yaml')] })) }
  const { model } = good(await runtime.preflight(moved))
  expect(model).toMatchObject({ ok: false, failure: { kind: 'configuration', toolOutput: expect.stringContaining('gone.yaml') } })
})

test('a service of a profile that is not used may name files that are not there', async () => {
  const compose = { services: { web: service(), debug: service({ profiles: ['debug'], env_file: ['not-there.env'] }) } }
  expect(await reasonsAfter({ compose }, async () => {})).toEqual([])
})

test('a folder without a compose file has no model', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: {} }, fileName: 'notes.txt', isUp: false })
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).model).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
})

test('a stack that does not run has its model checked all the same', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service() } }, isUp: false })
  expect(good(await runtime.preflight(await look(runtime, stack.directory)))).toEqual({ model: { ok: true, value: undefined }, missingImages: [], whyNotDown: [], wouldLose: [] })
  await stack.write('compose.yaml', 'services: [broken\n')
  expect(good(await runtime.preflight(await look(runtime, stack.directory))).model.ok).toBe(false)
})
