import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { done } from '@stackbk/contract'
import type { Capsule, CapsuleProject, RebuildQuestion, RebuildRequest, Runtime } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { type ComposeStack, docker, removeProject, service } from '../../../test/fixtures/compose-stack.js'
import { freeSubnet, freeWideSubnet } from '../../../test/fixtures/free-subnet.js'
import { buildCommand } from '../src/build-command.js'
import { networkCommand, volumeCommand } from '../src/rebuild-networks.js'
import { isLocalImage, mayComeByDigest, mayComeByTag } from '../src/recorded-images.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

const unique = Date.now().toString(36)

function request(directory: string, more: Partial<RebuildRequest> = {}): RebuildRequest {
  return { directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, healthTimeoutMs: 30_000, fillVolumes: async () => done, ...more }
}

function question(directory: string, more: Partial<RebuildQuestion> = {}): RebuildQuestion {
  return { directory, services: [], images: 'tag', allowHostVolumes: false, noStart: false, restoredPaths: [], ...more }
}

async function record(runtime: Runtime, stack: ComposeStack, more: Partial<CapsuleProject> = {}): Promise<Capsule> {
  const capsule = JSON.parse(JSON.stringify(good(await runtime.describe(await look(runtime, stack.directory))))) as Capsule
  return { ...capsule, condition: 'running', projects: [{ ...capsule.projects[0]!, ...more }] }
}

/** Moves the folder of a stack that is down. */
async function moved(stack: ComposeStack): Promise<string> {
  await removeProject(stack.project)
  const directory = `${stack.directory}-new`
  await rename(stack.directory, directory)
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** By service: source and target of each mount. */
async function mountsAt(runtime: Runtime, directory: string): Promise<string[]> {
  return (await look(runtime, directory)).projects.flatMap(({ containers }) => containers).flatMap(({ service: name, mounts }) => mounts.filter(({ kind }) => kind === 'bind').map(({ source, target }) => `${name} ${source} ${target}`)).sort()
}

test('absolute paths of the old folder get an override that Compose reads by itself, so that docker compose up changes nothing', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: {} }, name: "it's a $stack" })
  const old = stack.directory.replaceAll('$', '$$$$')
  await stack.write('compose.yaml', {
    name: stack.project,
    services: { web: service({ volumes: ['./own:/own', `${old}/inner:/inner:ro`, '../sibling:/sibling', 'bound:/bound'], secrets: ['token'] }) },
    secrets: { token: { file: `${old}/token.txt` } },
    volumes: { bound: { driver_opts: { type: 'none', o: 'bind', device: `${old}/bound` } } },
  })
  for (const file of ['own/a', 'inner/b', 'bound/c', 'token.txt']) await stack.write(file, 'x')
  const sibling = join(stack.directory, '..', 'sibling')
  await stack.write('../sibling/d', 'x')
  onTestFinished(() => rm(sibling, { recursive: true, force: true }))
  await stack.up()
  const capsule = await record(runtime, stack)
  const directory = await moved(stack)
  const written: string[] = []
  const report = good(await runtime.rebuild(capsule, request(directory, { onWriteFile: (path) => void written.push(path) })))
  expect(report).toMatchObject({ isUp: true, warnings: [{ code: 'override-written' }] })
  expect(written).toEqual([join(directory, 'compose.override.yaml')])
  const override = await readFile(written[0]!, 'utf8')
  expect(override).toContain(`${stack.directory}/inner`)
  expect(override).toContain('"source":"./inner"')
  expect(await mountsAt(runtime, directory)).toEqual([`web ${directory}/inner /inner`, `web ${directory}/own /own`, `web ${directory}/token.txt /run/secrets/token`, `web ${sibling.replace(/\/[^/]+\/\.\./, '')} /sibling`].sort())
  expect(JSON.parse(await docker('volume', 'inspect', `${stack.project}_bound`))).toMatchObject([{ Options: { device: `${directory}/bound` } }])
  // The next backup finds nothing that was not applied, and neither does Compose.
  const state = await look(runtime, directory)
  expect(good(await runtime.preflight(state)).whyNotDown).toEqual([])
  const ids = await docker('ps', '-q', '--filter', `label=com.docker.compose.project=${stack.project}`)
  await docker('compose', '--project-directory', directory, 'up', '-d')
  expect(await docker('ps', '-q', '--filter', `label=com.docker.compose.project=${stack.project}`)).toBe(ids)
  // An earlier try does not stand in the way.
  await removeProject(stack.project)
  expect(good(await runtime.rebuild(capsule, request(directory, { onWriteFile: () => {} })))).toMatchObject({ isUp: true, warnings: [{ code: 'override-written' }] })
})

test('a relative path that leads out of the folder goes on to mean what it meant', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: { web: service({ volumes: ['../sibling:/sibling', './own:/own'] }) } }, files: { 'own/a': 'x', '../sibling/b': 'x' } })
  const sibling = join(dirname(stack.directory), 'sibling')
  onTestFinished(() => rm(sibling, { recursive: true, force: true }))
  await stack.up()
  const capsule = await record(runtime, stack)
  const old = await moved(stack)
  const directory = join(`${old}-parent`, basename(stack.directory))
  await mkdir(dirname(directory))
  await rename(old, directory)
  onTestFinished(() => rm(dirname(directory), { recursive: true, force: true }))
  const report = good(await runtime.rebuild(capsule, request(directory, { onWriteFile: () => {} })))
  expect(report).toMatchObject({ isUp: true, warnings: [{ code: 'override-written', message: expect.stringContaining(`would mount ${dirname(directory)}/sibling`) }] })
  expect(await mountsAt(runtime, directory)).toEqual([`web ${sibling} /sibling`, `web ${directory}/own /own`].sort())
  expect(good(await runtime.preflight(await look(runtime, directory))).whyNotDown).toEqual([])
})

test('where Compose would not read an override, or none may be written, the containers get the new paths, and the files are named', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: {} } })
  await stack.write('compose.yaml', { services: { web: service({ volumes: [`${stack.directory}/inner:/inner`] }) } })
  await stack.write('inner/a', 'x')
  await stack.up()
  const capsule = await record(runtime, stack)
  const directory = await moved(stack)
  const usersOwn = join(directory, 'compose.override.yaml')
  for (const [prepare, onWriteFile] of [[async () => {}, undefined], [() => writeFile(usersOwn, 'services: { web: { labels: { a: b } } }\n'), () => {}]] as const) {
    await removeProject(stack.project)
    await prepare()
    const report = good(await runtime.rebuild(capsule, request(directory, onWriteFile === undefined ? {} : { onWriteFile })))
    expect(report).toMatchObject({ isUp: true, warnings: [{ code: 'files-differ', fix: expect.stringContaining(`${directory}/compose.yaml`) }] })
    expect(await mountsAt(runtime, directory)).toEqual([`web ${directory}/inner /inner`])
  }
  expect(await readFile(usersOwn, 'utf8')).toContain('labels')
})

test('mounts in the folder of another stack that moves too follow it', async () => {
  const { runtime } = await liveRuntime()
  const other = await liveStack({ isUp: false, compose: { services: { x: service() } }, files: { 'data/a': 'b' } })
  const stack = await liveStack({ compose: { services: { web: service({ volumes: [`${other.directory}/data:/data`] }) } } })
  const capsule = await record(runtime, stack)
  const [directory, otherDirectory] = [await moved(stack), await moved(other)]
  expect(good(await runtime.canRebuild(capsule, question(directory))).problems).toMatchObject([{ severity: 'error', code: 'missing-path' }])
  const follow = { moved: [{ from: other.directory, to: otherDirectory }] }
  expect(good(await runtime.canRebuild(capsule, question(directory, follow))).problems).toEqual([])
  expect(good(await runtime.rebuild(capsule, request(directory, { ...follow, onWriteFile: () => {} })))).toMatchObject({ isUp: true })
  expect(await mountsAt(runtime, directory)).toEqual([`web ${otherDirectory}/data /data`])
})

test('external networks and volumes are made as they were only where that is asked for; without it, the command that makes them is named', async () => {
  const { runtime } = await liveRuntime()
  const subnet = freeSubnet()
  const [network, volume] = [`stackbk-test-external-${unique}`, `stackbk-test-external-${unique}`]
  const removeBoth = async (): Promise<void> => {
    await docker('network', 'rm', network).catch(() => '')
    await docker('volume', 'rm', volume).catch(() => '')
  }
  onTestFinished(removeBoth)
  await docker('network', 'create', '--attachable', '--subnet', `${subnet}.0/24`, '--gateway', `${subnet}.1`, '--ip-range', `${subnet}.128/25`, '--aux-address', `router=${subnet}.9`, '--opt', 'com.docker.network.driver.mtu=1400', '--label', 'a=b c', network)
  await docker('volume', 'create', '--opt', 'type=tmpfs', '--opt', 'device=tmpfs', '--label', 'd=e', volume)
  const stack = await liveStack({ compose: { services: { web: service({ networks: { out: { ipv4_address: `${subnet}.20` } }, volumes: ['out:/out'] }) }, networks: { out: { external: true, name: network } }, volumes: { out: { external: true, name: volume } } } })
  const capsule = await record(runtime, stack)
  const picture = async (): Promise<unknown> => {
    const [net] = JSON.parse(await docker('network', 'inspect', network)) as { Driver: string; IPAM: { Driver: string; Config: unknown }; Options: unknown; Labels: unknown; Attachable: boolean }[]
    const [vol] = JSON.parse(await docker('volume', 'inspect', volume)) as { Driver: string; Options: unknown; Labels: unknown }[]
    return { network: [net!.Driver, net!.IPAM.Driver, net!.IPAM.Config, net!.Options, net!.Labels, net!.Attachable], volume: [vol!.Driver, vol!.Options, vol!.Labels] }
  }
  const before = await picture()
  await removeProject(stack.project)
  await removeBoth()
  const { problems } = good(await runtime.canRebuild(capsule, question(stack.directory)))
  expect(problems.map(({ severity, code, fix }) => [severity, code, fix])).toEqual([
    ['error', 'missing-network', expect.stringContaining(`docker network create --attachable --subnet ${subnet}.0/24 --gateway ${subnet}.1 --ip-range ${subnet}.128/25 --aux-address router=${subnet}.9 --opt com.docker.network.driver.mtu=1400 --label 'a=b c' ${network}`)],
    ['error', 'missing-volume', expect.stringContaining(`docker volume create --opt`)],
  ])
  expect(await runtime.rebuild(capsule, request(stack.directory))).toMatchObject({ ok: false })
  expect(good(await runtime.canRebuild(capsule, question(stack.directory, { createExternal: true }))).problems.map(({ severity }) => severity)).toEqual(['warning', 'warning'])
  const filled: string[] = []
  expect(good(await runtime.rebuild(capsule, request(stack.directory, { createExternal: true, fillVolumes: async (volumes) => { filled.push(...volumes.map(({ name, isNew }) => `${name} ${isNew}`)); return done } })))).toMatchObject({ isUp: true })
  expect(await picture()).toEqual(before)
})

test('an external network gets other addresses where the recorded ones overlap, unless a service asks for one of them', async () => {
  const { runtime } = await liveRuntime()
  const wide = freeWideSubnet()
  const [network, other] = [`stackbk-test-overlap-${unique}`, `stackbk-test-overlapping-${unique}`]
  onTestFinished(async () => {
    for (const name of [network, other]) await docker('network', 'rm', name).catch(() => '')
  })
  await docker('network', 'create', '--subnet', `${wide}.8.0/24`, network)
  const model = (address: object | null): object => ({ services: { web: service({ networks: { out: address } }) }, networks: { out: { external: true, name: network } } })
  const stack = await liveStack({ compose: model(null) })
  const capsule = await record(runtime, stack)
  await stack.write('compose.yaml', model({ ipv4_address: `${wide}.8.20` }))
  await stack.up()
  const fixed = await record(runtime, stack)
  await removeProject(stack.project)
  await docker('network', 'rm', network)
  await docker('network', 'create', '--subnet', `${wide}.0.0/16`, other)
  expect(await runtime.rebuild(fixed, request(stack.directory, { createExternal: true }))).toMatchObject({ ok: false })
  expect(good(await runtime.rebuild(capsule, request(stack.directory, { createExternal: true })))).toMatchObject({ isUp: true, warnings: [{ code: 'other-subnet', message: expect.stringContaining(`${wide}.8.0/24`) }] })
})

test('an external volume that points to a device is made only where that is allowed too', async () => {
  const { runtime } = await liveRuntime()
  const volume = `stackbk-test-device-${unique}`
  await docker('volume', 'create', '--opt', 'type=none', '--opt', 'o=bind', '--opt', 'device=/tmp', volume)
  onTestFinished(async () => void (await docker('volume', 'rm', volume).catch(() => '')))
  const stack = await liveStack({ isUp: false, compose: { services: { web: service({ volumes: ['out:/out'] }) }, volumes: { out: { external: true, name: volume } } } })
  const capsule = await record(runtime, stack, { replicas: { web: 1 } })
  await docker('volume', 'rm', volume)
  const codes = async (more: Partial<RebuildQuestion>): Promise<string[]> => good(await runtime.canRebuild(capsule, question(stack.directory, more))).problems.filter(({ severity, code }) => severity === 'error' && code !== 'missing-image').map(({ code }) => code)
  expect(await codes({})).toEqual(['missing-volume'])
  expect(await codes({ createExternal: true })).toEqual(['host-volume'])
  expect(await codes({ createExternal: true, allowHostVolumes: true })).toEqual([])
})

test.each(['bind', 'rbind', 'rw,bind', 'bind,ro'])('a local volume that is a bind into the folder of the stack (o: %s) needs no flag, wherever the folder is now', async (o) => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: {} }, files: { 'data/a': 'b' } })
  await stack.write('compose.yaml', { services: { web: service({ volumes: ['own:/own', 'out:/out'] }) }, volumes: { own: { driver_opts: { type: 'none', o, device: join(stack.directory, 'data') } }, out: { driver_opts: { type: 'none', o, device: '/tmp' } } } })
  await stack.compose('create')
  const capsule = await record(runtime, stack, { replicas: { web: 1 } })
  const refused = async (directory: string): Promise<readonly boolean[]> => {
    const { problems } = good(await runtime.canRebuild(capsule, question(directory, { restoredPaths: [directory] })))
    return problems.filter(({ code }) => code === 'host-volume').map(({ message }) => /_own/.test(message))
  }
  expect(await refused(stack.directory), 'what is there is not made').toEqual([])
  await stack.compose('down', '--volumes')
  for (const directory of [stack.directory, await moved(stack)]) expect(await refused(directory)).toEqual([false])
})

test('an image that was built locally never comes from a registry, by tag or digest, and the command that builds it is named with its folder', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: { built: service({ image: `127.0.0.1:1/built-${unique}:1`, build: '.' }), named: service({ image: undefined, build: { context: '.' } }), loaded: service({ image: `127.0.0.1:1/loaded-${unique}:1` }), pulled: service({ image: `127.0.0.1:1/pulled-${unique}:1` }) } }, name: 'with space ' })
  const digest = `127.0.0.1:1/pulled-${unique}@sha256:${'a'.repeat(64)}`
  const image = (name: string, more: object): CapsuleProject['images'][number] => ({ service: name, reference: `127.0.0.1:1/${name}-${unique}:1`, id: `sha256:${'1'.repeat(64)}`, digests: [], ...more })
  const images = [image('built', {}), image('named', { reference: `${stack.project}-named`, digests: [`${stack.project}-named@sha256:${'b'.repeat(64)}`] }), image('loaded', {}), image('pulled', { digests: [digest] })]
  const capsule = await record(runtime, stack, { replicas: { built: 1, named: 1, loaded: 1, pulled: 1 }, images })
  const { problems } = good(await runtime.canRebuild(capsule, question(stack.directory)))
  const missing = problems.filter(({ code }) => code === 'missing-image' || code === 'unproven-image')
  expect(missing.map(({ severity }) => severity)).toEqual(['error', 'error', 'error'])
  expect(missing[0]!.fix).toBe(`Build it: cd '${stack.directory}' && docker compose -p ${stack.project} build built`)
  expect(missing[1]!.fix).toContain('build named')
  expect(missing[2]!.fix).toContain('docker compose build in the folder whose compose file builds it')
  expect(JSON.stringify(missing)).not.toContain('docker pull')
  // On a bare host the folder comes with the recovery: what can be built there holds nothing up before.
  const bare = good(await runtime.canRebuild(capsule, question(`${stack.directory}-bare`, { restoredPaths: [`${stack.directory}-bare`] }))).problems
  expect(bare.filter(({ code }) => code === 'missing-image').map(({ severity, fix }) => `${severity} ${fix.includes('-bare')}`)).toEqual(['warning true', 'warning true', 'error false'])
  const answer = await runtime.rebuild(capsule, request(stack.directory, { images: 'tag' }))
  expect(answer).toMatchObject({ ok: false, failure: { fix: expect.stringContaining('docker compose -p') } })
})

test('whether an image may come from a registry', () => {
  const image = (id: string, digests: readonly string[], reference = 'example.com/app:1'): CapsuleProject['images'][number] => ({ service: 's', reference, id, digests })
  const [known, digest] = ['sha256:1', 'example.com/app@sha256:2']
  expect(isLocalImage(image(known, []), false)).toBe(true)
  expect(isLocalImage(image('', []), false)).toBe(false)
  expect(isLocalImage(image(known, ['app@sha256:2'], 'project-app'), true)).toBe(true)
  expect(isLocalImage(image(known, [digest]), true)).toBe(false)
  expect([mayComeByTag(image('', []), 'tag', false), mayComeByTag(image('', []), 'tag', true), mayComeByTag(image('', []), 'digest', false), mayComeByTag(image(known, []), 'tag', false), mayComeByTag(image(known, [digest]), 'tag', false)]).toEqual([true, false, false, false, true])
  expect([mayComeByDigest(image(known, [digest]), 'digest', true), mayComeByDigest(image(known, [digest]), 'local', false), mayComeByDigest(image(known, ['app@sha256:2'], 'app'), 'digest', true)]).toEqual([true, false, false])
})

test('commands that are shown are words of a shell, whatever the names are', () => {
  const project = { name: 'web', workingDirectory: "/srv/it's/web", configFiles: ['/srv/web/a.yaml', '/srv/web/b.yaml'] }
  expect(buildCommand(project, { services: { app: { build: { context: '.' } } } }, 'app')).toBe(String.raw`cd '/srv/it'\''s/web' && docker compose -f /srv/web/a.yaml -f /srv/web/b.yaml build app`)
  expect(buildCommand(project, { services: { app: { image: 'x' } } }, 'app')).toBeNull()
  const bare = { key: '', isExternal: true, options: {}, labels: {} }
  expect(networkCommand('my net', undefined)).toBe("docker network create 'my net'")
  expect(networkCommand('lan', { ...bare, name: 'lan', driver: 'macvlan', options: { parent: 'eth0' }, isInternal: true, isAttachable: false, hasIpv6: true, subnets: [{ subnet: 'fd00::/64', gateway: 'fd00::1/64', ipRange: '' }], ipam: { driver: 'dhcp', options: { a: 'b' } } })).toBe('docker network create --driver macvlan --internal --ipv6 --ipam-driver dhcp --ipam-opt a=b --subnet fd00::/64 --gateway fd00::1 --opt parent=eth0 lan')
  expect(volumeCommand('nas', { ...bare, name: 'nas', driver: 'local', options: { type: 'nfs', o: 'addr=10.0.0.1', device: ':/x y' }, isAnonymous: false, path: '', service: '', containerNumber: 0, target: '' }, (path) => path)).toBe("docker volume create --opt type=nfs --opt o=addr=10.0.0.1 --opt 'device=:/x y' nas")
})
