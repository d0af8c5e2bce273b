import { rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

import { done } from '@stackbk/contract'
import type { Capsule, CapsuleProject, RebuildQuestion, RebuildRequest, RebuiltVolume, Runtime } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { importImage, testImage } from '../../../test/fixtures/busybox-image.js'
import { type ComposeStack, docker, healthyCommand, quickHealthcheck, removeProject, service } from '../../../test/fixtures/compose-stack.js'
import { localRegistry } from './local-registry.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

const nothingToFill: RebuildRequest['fillVolumes'] = async () => done

function question(stack: ComposeStack, more: Partial<RebuildQuestion> = {}): RebuildQuestion {
  return { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, restoredPaths: [], ...more }
}

function request(stack: ComposeStack, more: Partial<RebuildRequest> = {}): RebuildRequest {
  return { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, healthTimeoutMs: 30_000, fillVolumes: nothingToFill, ...more }
}

/** The stack's capsule, as it comes back out of a snapshot. */
async function record(runtime: Runtime, stack: ComposeStack): Promise<Capsule> {
  return JSON.parse(JSON.stringify(good(await runtime.describe(await look(runtime, stack.directory))))) as Capsule
}

/** The same with its one project changed: what no stack of a test can be made to be. */
function changed(capsule: Capsule, more: Partial<CapsuleProject>): Capsule {
  return { ...capsule, condition: 'running', projects: [{ ...capsule.projects[0]!, ...more }] }
}

/** Another image, which is not the test's own by any byte. */
async function otherImage(reference: string): Promise<string> {
  await importImage(reference, [`ENV IMAGE=${reference}`])
  const id = await docker('image', 'inspect', '--format', '{{.Id}}', reference)
  onTestFinished(async () => {
    // Its name may mean another image by then.
    for (const name of [reference, id]) await docker('image', 'rm', '-f', name).catch(() => '')
  })
  return id
}

/** By name: how each container is, of which image, by which command. */
async function picture(project: string): Promise<Record<string, unknown>> {
  const ids = (await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`)).split('\n').filter(Boolean)
  if (ids.length === 0) return {}
  const all = JSON.parse(await docker('inspect', ...ids)) as { Name: string; Image: string; State: { Status: string }; Config: { Cmd: string[]; Env: string[]; Labels: Record<string, string>; Image: string }; NetworkSettings: { Networks: Record<string, unknown> } }[]
  return Object.fromEntries(all.map((one) => [one.Name, { image: one.Image, status: one.State.Status, command: one.Config.Cmd, environment: one.Config.Env.sort(), labels: named(one.Config.Labels), networks: Object.keys(one.NetworkSettings.Networks) }]))
}

/** Without the hash of a container's configuration where that counts the ID of a container whose network it shares. */
function named(labels: Record<string, string>): Record<string, string> {
  return labels['com.docker.compose.service'] === 'beside' ? { ...labels, 'com.docker.compose.config-hash': '' } : labels
}

async function volumesOf(project: string): Promise<unknown> {
  const names = (await docker('volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${project}`)).split('\n').filter(Boolean).sort()
  return names.length === 0 ? [] : (JSON.parse(await docker('volume', 'inspect', ...names)) as Record<string, unknown>[]).map(({ CreatedAt: _created, ...volume }) => volume)
}

test('a rich stack comes back as it ran: replicas, profiles, what was paused, what was stopped, its volumes, its labels', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({
    name: 'we ird, $x "q" ü',
    compose: {
      services: {
        db: service({ command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['data:/data', '/cache'] }),
        web: service({ environment: { PRICE: '5$$', TOKEN: '${TOKEN}' }, depends_on: { db: { condition: 'service_healthy' } }, volumes: ['/scratch'] }),
        admin: service({ profiles: ['ops'] }),
        unused: service({ profiles: ['never'] }),
        halted: service({ volumes: ['/halted'] }),
        frozen: service({ network_mode: 'none' }),
        beside: service({ network_mode: 'service:db' }),
      },
      volumes: { data: { labels: { keep: 'yes, "it" is' }, driver_opts: {} } },
    },
    files: { '.env': 'TOKEN=a$b c\n' },
    isUp: false,
  })
  await stack.compose('--profile', 'ops', 'up', '-d', '--scale', 'web=2')
  await stack.compose('stop', '-t', '5', 'halted')
  await stack.compose('pause', 'frozen')
  const before = { picture: await picture(stack.project), volumes: await volumesOf(stack.project) }
  const capsule = await record(runtime, stack)
  await removeProject(stack.project)

  let filled: readonly RebuiltVolume[] = []
  const report = good(
    await runtime.rebuild(capsule, request(stack, {
      fillVolumes: async (volumes) => {
        filled = volumes
        for (const volume of volumes) await writeFile(join(volume.path, 'mark'), `${volume.recorded.service}${volume.recorded.containerNumber || ''} ${volume.recorded.target}`)
        expect(await stack.running()).toEqual([])
        return done
      },
    })),
  )
  expect(report).toEqual({ isUp: true, missing: [], completed: [], unprovenImages: [], losses: [] })
  const after = await picture(stack.project)
  for (const [name, container] of Object.entries(before.picture)) {
    expect(after[name], name).toEqual(name.includes('halted') ? { ...(container as object), status: 'created' } : container)
  }
  expect(Object.keys(after).sort()).toEqual(Object.keys(before.picture).sort())
  expect(await volumesOf(stack.project)).toEqual(before.volumes)
  expect(filled.map(({ recorded, isNew }) => [recorded.key, recorded.service, recorded.containerNumber, recorded.target, isNew]).sort()).toEqual(
    [['data', '', 0, '/data', true], ['', 'db', 1, '/cache', true], ['', 'halted', 1, '/halted', true], ['', 'web', 1, '/scratch', true], ['', 'web', 2, '/scratch', true]].sort(),
  )
  const inside = (container: string, path: string): Promise<string> => docker('exec', `${stack.project}-${container}`, 'cat', path)
  expect(await Promise.all([inside('db-1', '/data/mark'), inside('db-1', '/cache/mark'), inside('web-1', '/scratch/mark'), inside('web-2', '/scratch/mark')])).toEqual([' /data', 'db1 /cache', 'web1 /scratch', 'web2 /scratch'])
  // What came back is a stack like any other: nothing speaks against taking it down as far as its volumes do not.
  const again = await record(runtime, stack)
  expect(again.projects[0]).toMatchObject({ replicas: capsule.projects[0]!.replicas, pausedServices: ['frozen'], stoppedServices: ['halted'], profiles: ['ops'], configFiles: capsule.projects[0]!.configFiles })
  expect(again.notes).toEqual([])
})

test('what stands against a rebuild is named, with who is in the way, before anything is touched', async () => {
  const { runtime } = await liveRuntime()
  const unique = Date.now().toString(36)
  const first = 20_000 + (Date.now() % 10_000)
  const server = createServer().listen(first + 1, '127.0.0.1')
  onTestFinished(() => void server.close())
  const taken = `stackbk-test-taken-${unique}`
  const stack = await liveStack({
    isUp: false,
    compose: {
      services: {
        web: service({
          container_name: taken,
          ports: [`${first}:80`, `127.0.0.1:${first + 1}:81`, `127.0.0.2:${first + 1}:82`, '83'],
          networks: ['out'],
          volumes: ['theirs:/theirs', 'disk:/disk', '/nowhere/at/all:/nowhere', './own:/own', '/restored/soon/part:/soon'],
          secrets: ['token'],
        }),
        beside: service(),
      },
      networks: { out: { external: true, name: `stackbk-test-gone-${unique}` } },
      volumes: { theirs: { external: true, name: `stackbk-test-theirs-${unique}` }, disk: { driver_opts: { type: 'none', o: 'bind', device: '/srv' } } },
      secrets: { token: { environment: 'STACKBK_TEST_NOT_SET' } },
    },
  })
  await docker('create', '--name', taken, '--network', 'none', '--label', `com.docker.compose.project=${stack.project}`, '--label', 'com.docker.compose.project.working_dir=/elsewhere', '--label', 'com.docker.compose.service=strange', testImage, 'true')
  onTestFinished(async () => void (await docker('rm', '-f', taken)))
  const network = `stackbk-test-network-${unique}`
  await docker('network', 'create', network)
  onTestFinished(async () => void (await docker('network', 'rm', network)))
  await docker('run', '-d', '--name', `${taken}-port`, '--network', network, '-p', `${first}:80`, testImage, 'sleep', '1000')
  onTestFinished(async () => void (await docker('rm', '-f', `${taken}-port`)))
  const found = await record(runtime, stack)
  const lost = changed({ ...found, engine: { ...found.engine, userNamespace: 'rootless' }, notes: ['web-run is a one-off container'] }, {
    replicas: { web: 1, beside: 1 },
    images: [{ service: 'web', reference: `stackbk-test/gone-${unique}:1`, id: `sha256:${'0'.repeat(64)}`, digests: [] }, found.projects[0]!.images.find((image) => image.service === 'beside')!],
    volumes: [{ name: `${stack.project}_disk`, key: 'disk', driver: 'local', options: { type: 'none', o: 'bind', device: '/srv' }, labels: {}, isExternal: false, isAnonymous: false, path: '/srv', service: '', containerNumber: 0, target: '/disk' }],
  })

  const outlook = good(await runtime.canRebuild(lost, question(stack, { restoredPaths: ['/restored/soon'] })))
  expect(outlook.losses).toEqual(['web-run is a one-off container'])
  const messages = outlook.problems.map(({ severity, code, message }) => `${severity} ${code}: ${message}`)
  const expected: readonly [string, RegExp][] = [
    ['error project-taken', new RegExp(`${taken} of it belongs to /elsewhere`)],
    ['error name-taken', new RegExp(taken)],
    ['error missing-network', new RegExp(`stackbk-test-gone-${unique}`)],
    ['error missing-volume', new RegExp(`stackbk-test-theirs-${unique}`)],
    ['error host-volume', /_disk would be made anew as none of \/srv/],
    ['error missing-image', new RegExp(`stackbk-test/gone-${unique}:1`)],
    ['error missing-path', /^error missing-path: \/nowhere\/at\/all, which service web uses/],
    ['error missing-variable', /STACKBK_TEST_NOT_SET/],
    ['error port-taken', new RegExp(`Port 127.0.0.1:${first + 1} of the host, which service web needs, is taken by .*\\(process ${process.pid}\\)`)],
    ['warning user-namespace', /without a mapping of users here, and was rootless/],
  ]
  for (const [head, pattern] of expected) expect(messages.filter((message) => message.startsWith(`${head}: `)).join('\n'), head).toMatch(pattern)
  expect(messages.filter((message) => message.includes(`Port ${first} of the host`))).toEqual([expect.stringContaining(`is taken by container ${taken}-port`)])
  expect(messages).toHaveLength(expected.length + 1)
  expect(outlook.problems.every(({ message, fix }) => message !== '' && fix !== '')).toBe(true)

  const refused = await runtime.rebuild(lost, request(stack))
  expect(refused).toMatchObject({ ok: false, failure: { kind: 'configuration', message: expect.stringContaining('/nowhere/at/all') } })
  expect(await docker('volume', 'ls', '-q', '--filter', `name=${stack.project}`)).toBe('')
  expect(await docker('ps', '-aq', '--filter', `label=com.docker.compose.service=beside`, '--filter', `label=com.docker.compose.project=${stack.project}`)).toBe('')
  const allowed = good(await runtime.canRebuild(lost, question(stack, { allowHostVolumes: true, services: ['beside'] })))
  expect(allowed.problems.map(({ code }) => code)).toEqual(['project-taken', 'user-namespace'])
  expect(await runtime.canRebuild(lost, question(stack, { services: ['wbe'] }))).toMatchObject({ ok: false, failure: { kind: 'not-found', fix: 'It knows beside, web' } })
})

test('defect 22: images are the recorded ones, whatever their tags mean by now; where one is gone, what its tag means is used and named', async () => {
  const { runtime } = await liveRuntime()
  const [lost, moved, gone] = ['lost', 'moved', 'gone'].map((name) => `stackbk-test/${name}-${Date.now().toString(36)}:1`) as [string, string, string]
  const ids = { lost: await otherImage(lost), moved: await otherImage(moved), gone: await otherImage(gone) }
  const stack = await liveStack({ compose: { services: { lost: service({ image: lost }), moved: service({ image: moved }), gone: service({ image: gone }) } } })
  const capsule = await record(runtime, stack)
  await removeProject(stack.project)
  await docker('tag', ids.lost, `${lost}-kept`)
  onTestFinished(async () => void (await docker('image', 'rm', '-f', `${lost}-kept`)))
  await docker('image', 'rm', lost)
  await docker('tag', ids.moved, `${moved}-kept`)
  onTestFinished(async () => void (await docker('image', 'rm', '-f', `${moved}-kept`)))
  await docker('tag', testImage, moved)
  await docker('image', 'rm', gone)
  await docker('tag', testImage, gone)

  const outlook = good(await runtime.canRebuild(capsule, question(stack)))
  expect(outlook.problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual(['warning unproven-image'])
  const report = good(await runtime.rebuild(capsule, request(stack)))
  expect(report.isUp).toBe(true)
  expect(report.unprovenImages).toEqual([{ service: 'gone', reference: gone, reason: expect.stringContaining(`the recorded image ${ids.gone.slice(0, 19)} is not here`) }])
  const images = Object.values(await picture(stack.project)) as { image: string; labels: Record<string, string> }[]
  const imageOf = (name: string): string => images.find(({ labels }) => labels['com.docker.compose.service'] === name)!.image
  const now = await docker('image', 'inspect', '--format', '{{.Id}}', testImage)
  expect([imageOf('lost'), imageOf('moved'), imageOf('gone')]).toEqual([ids.lost, ids.moved, now])
  // A name that meant nothing is given back; one that means another image is left to whoever uses that.
  expect(await docker('image', 'inspect', '--format', '{{.Id}}', lost, moved)).toBe(`${ids.lost}\n${now}`)
})

test('an image that is gone comes by its digest where that is allowed, and by its tag only where that is', async () => {
  const { runtime } = await liveRuntime()
  const id = await otherImage(`stackbk-test/pushed-${Date.now().toString(36)}:1`)
  const registry = await localRegistry(id)
  onTestFinished(() => registry.close())
  const [reference, digest] = [`${registry.host}/app:1`, `${registry.host}/app@${registry.digest}`]
  await docker('tag', id, reference)
  onTestFinished(async () => void (await docker('image', 'rm', '-f', reference).catch(() => '')))
  const stack = await liveStack({ compose: { services: { app: service({ image: reference }) } } })
  const capsule = await record(runtime, stack)
  await removeProject(stack.project)
  await docker('image', 'rm', '-f', id)
  const withDigests = (digests: readonly string[]): Capsule => changed(capsule, { images: [{ ...capsule.projects[0]!.images[0]!, digests }] })

  expect(await runtime.rebuild(withDigests([digest]), request(stack, { images: 'local' }))).toMatchObject({ ok: false, failure: { fix: `Bring it here: docker pull ${digest}` } })
  expect(await runtime.rebuild(withDigests([]), request(stack, { images: 'digest' }))).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
  expect(registry.requests()).toEqual([])
  expect(good(await runtime.rebuild(withDigests([digest]), request(stack, { images: 'digest' })))).toMatchObject({ isUp: true, unprovenImages: [] })
  expect(registry.requests().some((path) => path.endsWith('/manifests/1'))).toBe(false)
  expect(await docker('image', 'inspect', '--format', '{{.Id}}', reference)).toBe(id)

  await removeProject(stack.project)
  await docker('image', 'rm', '-f', id)
  const other = changed(capsule, { images: [{ ...capsule.projects[0]!.images[0]!, id: '', digests: [] }] })
  expect(await runtime.rebuild(withDigests([]), request(stack, { images: 'tag' })), 'what no registry had given is never pulled').toMatchObject({ ok: false })
  expect(good(await runtime.rebuild(other, request(stack, { images: 'tag' })))).toMatchObject({ isUp: true, unprovenImages: [{ service: 'app', reference, reason: expect.stringContaining('it came by its tag') }] })
})

test('where the files no longer say what ran, the capsule does, and the stack is found by its files all the same', async () => {
  const { runtime, log } = await liveRuntime()
  const stack = await liveStack({
    compose: { services: { web: service({ environment: { COLOUR: '${COLOUR}', PRICE: '5$$' }, labels: { note: '1 $$' }, env_file: ['odd.env'] }), tool: service({ profiles: ['ops'] }) } },
    // A byte order mark and control characters, which YAML allows only where they are escaped.
    files: { '.env': 'COLOUR=blue\n', 'odd.env': 'ODD=a\u007fb\ufeffc\u0081d\u0085e\n' },
    isUp: false,
  })
  await stack.compose('--profile', 'ops', 'up', '-d')
  const capsule = await record(runtime, stack)
  const before = await picture(stack.project)
  const again = async (): Promise<Record<string, { labels: Record<string, string> }>> => {
    await removeProject(stack.project)
    expect(good(await runtime.rebuild(capsule, request(stack)))).toMatchObject({ isUp: true })
    return (await picture(stack.project)) as Record<string, { labels: Record<string, string> }>
  }
  const withoutFiles = (all: Record<string, unknown>): unknown => Object.entries(all as Record<string, { labels: Record<string, string> }>).map(([name, one]) => [name, { ...one, labels: { ...one.labels, 'com.docker.compose.project.config_files': '' } }]).sort()
  expect(await again()).toEqual(before)
  expect(log.filter(({ message }) => message.includes('is rebuilt from the model'))).toEqual([])

  await stack.write('.env', 'COLOUR=red\n')
  const other = await again()
  expect(withoutFiles(other)).toEqual(withoutFiles(before))
  expect(Object.values(other)[0]!.labels['com.docker.compose.project.config_files']).toBe(`${stack.directory}/compose.yaml,-`)
  expect(log.at(-1)?.message).toContain('they now say something else of service web')
  // A backup right after it knows the stack, and says what is the matter.
  const state = await look(runtime, stack.directory)
  expect(good(await runtime.preflight(state))).toMatchObject({ model: { ok: true }, whyNotDown: [expect.stringContaining('service web was changed')] })

  await stack.write('compose.yaml', 'services: [broken\n')
  expect(withoutFiles(await again())).toEqual(withoutFiles(before))
  await rm(join(stack.directory, 'compose.yaml'))
  expect(withoutFiles(await again())).toEqual(withoutFiles(before))
  expect((await look(runtime, stack.directory)).condition).toBe('running')
})

test('a part of a stack is rebuilt beside the rest; nothing starts where that is not wanted, or where a volume could not be filled', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { db: service({ volumes: ['data:/data'] }), web: service({ depends_on: ['db'] }), sick: service({ healthcheck: { ...quickHealthcheck('/never'), start_period: '0s', retries: 1 } }), old: service({ image: 'stackbk-test/never:1', profiles: ['old'] }) }, volumes: { data: {}, other: {} } } })
  const capsule = await record(runtime, stack)
  const rest = (await stack.containers())[`${stack.project}-web-1`]
  expect(await runtime.rebuild(capsule, request(stack))).toMatchObject({ ok: false, failure: { message: expect.stringContaining('still has containers') } })

  await docker('rm', '-f', `${stack.project}-db-1`)
  const names: string[] = []
  expect(good(await runtime.rebuild(capsule, request(stack, { services: ['db'], fillVolumes: async (volumes) => { names.push(...volumes.map(({ name }) => name)); return done } })))).toMatchObject({ isUp: true, missing: [] })
  expect(names).toEqual([`${stack.project}_data`])
  expect((await stack.containers())[`${stack.project}-web-1`]).toBe(rest)

  await removeProject(stack.project)
  const unfilled = await runtime.rebuild(capsule, request(stack, { fillVolumes: async () => ({ ok: false, failure: { kind: 'failed', message: 'no room' } }) }))
  expect(unfilled).toMatchObject({ ok: false, failure: { message: 'no room' } })
  expect(await stack.running()).toEqual([])
  // What it made goes by a `down` of the stack's state.
  good(await runtime.stop(await look(runtime, stack.directory), { mode: 'down', graceSeconds: 1 }))
  good(await runtime.inspect([stack.directory]))
  expect(await stack.containers()).toEqual({})

  expect(good(await runtime.rebuild(capsule, request(stack, { noStart: true })))).toMatchObject({ isUp: false, missing: [] })
  expect(await stack.running()).toEqual([])
  expect(Object.keys(await stack.containers())).toHaveLength(3)

  await removeProject(stack.project)
  const stopped = changed(capsule, { stoppedServices: ['old'], unhealthyServices: [] })
  expect(good(await runtime.canRebuild(stopped, question(stack))).problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual(['warning missing-image'])
  const report = good(await runtime.rebuild(stopped, request(stack, { healthTimeoutMs: 2000 })))
  expect(report).toMatchObject({ isUp: false, missing: [{ service: 'sick', reason: expect.stringContaining('unhealthy') }] })
  expect(report.losses).toEqual([expect.stringMatching(/^Service old, which was stopped, could not be made again: /)])
  expect(await stack.running()).toEqual(['db', 'sick', 'web'])

  await removeProject(stack.project)
  const asBefore = await runtime.rebuild(changed(capsule, { unhealthyServices: ['sick'] }), request(stack, { healthTimeoutMs: 2000 }))
  expect(asBefore, 'what was unhealthy before only has to run').toMatchObject({ ok: true, value: { isUp: true, missing: [] } })
})

test('a stack whose folder has another place now is rebuilt there, from its files or from its capsule', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: { web: service({ volumes: ['./own:/own'], secrets: ['token'] }) }, secrets: { token: { file: './token.txt' } } }, files: { 'token.txt': 'x', 'own/a': 'b' } })
  const capsule = changed(await record(runtime, stack), { replicas: { web: 1 } })
  const directory = `${stack.directory}-elsewhere`
  await rename(stack.directory, directory)
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  for (const change of [async () => {}, () => rm(join(directory, 'compose.yaml'))]) {
    await removeProject(stack.project)
    await change()
    expect(good(await runtime.rebuild(capsule, request(stack, { directory })))).toMatchObject({ isUp: true })
    const state = await look(runtime, directory)
    expect(state.projects[0]).toMatchObject({ workingDirectory: directory })
    expect(state.projects[0]!.containers[0]!.mounts.map((mount) => mount.source).sort()).toEqual([`${directory}/own`, `${directory}/token.txt`])
  }
})
