import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Capsule, CapsuleProject, CapsuleVolume, IsolatedStack, Runtime, Scratch } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { expect, onTestFinished, test } from 'vitest'

import { busyboxImage, testImage } from '../../../test/fixtures/busybox-image.js'
import { type ComposeStack, docker, quickHealthcheck, service } from '../../../test/fixtures/compose-stack.js'
import { createDocker } from '../src/docker.js'
import { findWaysOut } from '../src/isolated-check.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

let count = 0

/** A folder and a label for a rehearsal; whatever it made is gone after the test. */
async function scratchFor(runtime: Runtime, restored: Readonly<Record<string, string>> = {}): Promise<Scratch & { place(original: string): Promise<string> }> {
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-test scratch $x, "y": ü-'))
  const label = `rehearsal-${process.pid}-${Date.now().toString(36)}-${(count += 1)}`
  onTestFinished(async () => {
    good(await runtime.removeByLabel(label))
    await rm(directory, { recursive: true, force: true })
  })
  const places = new Map(Object.entries(restored))
  return {
    label,
    directory,
    restored: places,
    images: 'local',
    healthTimeoutMs: 20_000,
    async place(original) {
      const at = join(directory, 'files', original)
      await mkdir(at, { recursive: true })
      places.set(original, at)
      return at
    },
  }
}

async function capsuleOf(runtime: Runtime, stack: ComposeStack): Promise<Capsule> {
  return JSON.parse(JSON.stringify(good(await runtime.describe(await look(runtime, stack.directory))))) as Capsule
}

/** As if these had run, which spares their start. */
function asIfRunning(capsule: Capsule, replicas: Readonly<Record<string, number>>, more: Partial<CapsuleProject> = {}): Capsule {
  return { ...capsule, condition: 'running', projects: [{ ...capsule.projects[0]!, replicas, ...more }] }
}

interface Inspected {
  readonly Id: string
  readonly Name: string
  readonly State: { readonly StartedAt: string; readonly Status: string }
  readonly Config: { readonly Labels: Record<string, string>; readonly Env: string[]; readonly Hostname: string }
  readonly HostConfig: Record<string, unknown>
  readonly Mounts: { readonly Type: string; readonly Source: string; readonly Destination: string }[]
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }>; readonly Ports: Record<string, unknown> }
}

async function inspected(...ids: string[]): Promise<Inspected[]> {
  return ids.length === 0 ? [] : (JSON.parse(await docker('inspect', ...ids)) as Inspected[])
}

async function production(project: string): Promise<unknown> {
  const ids = (await docker('ps', '-aq', '--no-trunc', '--filter', `label=com.docker.compose.project=${project}`)).split('\n').sort()
  return (await inspected(...ids)).map((one) => [one.Id, one.Name, one.State.StartedAt, one.State.Status, Object.entries(one.NetworkSettings.Networks).map(([name, { IPAddress }]) => [name, IPAddress])])
}

const servicesOf = (rehearsal: IsolatedStack): string[] => rehearsal.containers.map((container) => container.service).sort()

test('a rehearsal of a stack that reaches for the host in every way reaches nothing, while production goes on untouched', async () => {
  const { runtime } = await liveRuntime()
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-test-outside-'))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  const unique = Date.now().toString(36)
  const external = `stackbk-test-external-${unique}`
  await docker('network', 'create', external)
  onTestFinished(async () => void (await docker('network', 'rm', external)))
  const port = 20_000 + (Date.now() % 10_000)
  const stack = await liveStack({
    isUp: false,
    compose: {
      services: {
        db: service({
          container_name: `db-${unique}`,
          command: ['sh', '-c', "trap 'exit 0' TERM INT; cat /run/secrets/token /conf.ini /data/mark > /tmp/seen; echo new > /data/written; touch /tmp/ready; sleep 1000000 & wait"],
          healthcheck: quickHealthcheck(),
          volumes: ['data:/data', `${outside}:/outside`, '/cache'],
          ports: [`${port}:80`],
          secrets: ['token'],
          configs: [{ source: 'conf', target: '/conf.ini' }],
          env_file: ['db.env'],
          environment: { VIRTUAL_HOST: 'www.example.org' },
          user: '0',
          init: true,
          ipc: 'shareable',
          restart: 'always',
          labels: { 'traefik.enable': 'true' },
          networks: { default: { aliases: ['store'] }, out: {} },
          logging: { driver: 'local' },
        }),
        web: service({
          command: ['sh', '-c', "trap 'exit 0' TERM INT; (ip route; cat /etc/hosts) > /shared/routes; nslookup store > /shared/store; nslookup database > /shared/database; touch /shared/done; sleep 1000000 & wait"],
          depends_on: { db: { condition: 'service_healthy' } },
          links: ['db:database'],
          extra_hosts: ['production:10.1.2.3', 'host.docker.internal:host-gateway'],
          volumes: ['./shared:/shared'],
          deploy: { replicas: 2 },
          dns: ['9.9.9.9'],
        }),
        beside: service({ network_mode: 'service:db', volumes_from: ['db'], depends_on: ['db'], pid: 'service:db', ipc: 'service:db' }),
        ...Object.fromEntries(
          Object.entries({
            net: { network_mode: 'host' },
            pid: { pid: 'host' },
            ipc: { ipc: 'host' },
            uts: { uts: 'host' },
            power: { privileged: true },
            cap: { cap_add: ['SYS_ADMIN'] },
            device: { devices: ['/dev/null:/dev/xnull'] },
            sock: { volumes: ['/var/run/docker.sock:/var/run/docker.sock'] },
            proc: { volumes: ['/proc:/host/proc:ro'] },
            needs: { depends_on: ['sock'] },
          }).map(([name, definition]) => [name, service(definition)]),
        ),
      },
      volumes: { data: { name: `stackbk-test-data-${unique}` } },
      networks: { out: { name: external, external: true } },
      secrets: { token: { file: './token.txt' } },
      configs: { conf: { file: './conf.ini' } },
    },
    files: { 'token.txt': 'S3CRET\n', 'conf.ini': 'a=1\n', 'db.env': 'PASSWORD=hunter$$2\n', 'shared/keep': '' },
  })
  await writeFile(join(outside, 'precious'), 'of production')
  await docker('volume', 'create', '--label', `com.docker.compose.project=${stack.project}`, '--label', 'com.docker.compose.volume=data', `stackbk-test-data-${unique}`)
  const capsuleVolume = (await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `stackbk-test-data-${unique}`)).trim()
  await writeFile(join(capsuleVolume, 'mark'), 'of production\n')
  await stack.up()
  const before = await production(stack.project)
  const capsule = await capsuleOf(runtime, stack)

  const scratch = await scratchFor(runtime)
  const folder = await scratch.place(stack.directory)
  for (const [file, content] of Object.entries({ 'token.txt': 'restored token\n', 'conf.ini': 'restored config\n' })) await writeFile(join(folder, file), content)
  await mkdir(join(folder, 'shared'))
  await writeFile(join(await scratch.place(capsuleVolume), 'mark'), 'restored mark\n')
  await rm(join(capsuleVolume, 'written'))

  const rehearsal = good(await runtime.startIsolated(capsule, scratch))
  expect(rehearsal).toMatchObject({ healthy: true, missing: [], unprovenImages: [] })
  expect(servicesOf(rehearsal)).toEqual(['beside', 'db', 'web', 'web'])
  const text = rehearsal.leftOut.join('\n')
  for (const name of ['net', 'pid', 'ipc', 'uts', 'power', 'cap', 'device', 'sock', 'proc', 'needs']) expect(text).toMatch(new RegExp(`^Service ${name} is not run: `, 'm'))
  expect(text).toContain(`Network ${external} is external`)
  expect(text).toContain(`${outside} of service db is not in the snapshot`)
  expect(text).toContain('Service web runs without its extra hosts')

  const containers = await inspected(...rehearsal.containers.map((container) => container.id))
  for (const container of containers) {
    expect(container.Name.startsWith(`/${scratch.label}`)).toBe(true)
    expect(container.Config.Labels['stackbk.scratch']).toBe(scratch.label)
    expect(container.Config.Labels['traefik.enable']).toBeUndefined()
    expect(container.HostConfig).toMatchObject({ PortBindings: {}, RestartPolicy: { Name: 'no' }, Privileged: false, CapAdd: null, Devices: null })
    for (const mount of container.Mounts) expect([mount.Type, mount.Source.startsWith(`${scratch.directory}/`)]).toEqual(['bind', true])
    for (const network of Object.keys(container.NetworkSettings.Networks)) expect(network.startsWith(scratch.label)).toBe(true)
  }
  const [db] = rehearsal.containers.filter((container) => container.service === 'db')
  expect((await docker('exec', db!.id, 'cat', '/tmp/seen')).split('\n')).toEqual(['restored token', 'restored config', 'restored mark'])
  expect(await docker('exec', db!.id, 'sh', '-c', 'ls -A /outside; echo $PASSWORD$VIRTUAL_HOST')).toBe('hunter$2')
  // Known by the same names, and with no way out: neither a route nor an address of the host.
  const seen = join(folder, 'shared')
  const ready = good(await runtime.runInside(rehearsal.containers.find((container) => container.service === 'web')!.id, ['sh', '-c', 'until test -f /shared/done; do sleep 0.1; done'], { timeoutMs: 10_000 }))
  expect(ready.exitCode).toBe(0)
  const routes = await readFile(join(seen, 'routes'), 'utf8')
  expect(routes).not.toMatch(/default|production|host\.docker\.internal/)
  const address = containers.find((container) => container.Id === db!.id)!.NetworkSettings.Networks[`${scratch.label}-${stack.name}_default`]!.IPAddress
  expect(await readFile(join(seen, 'store'), 'utf8')).toContain(address)
  expect(await readFile(join(seen, 'database'), 'utf8')).toContain(address)

  expect(await readFile(join(capsuleVolume, 'mark'), 'utf8')).toBe('of production\n')
  await expect(readFile(join(capsuleVolume, 'written'))).rejects.toThrow('ENOENT')
  good(await runtime.removeByLabel(scratch.label))
  expect(await production(stack.project)).toEqual(before)
  expect(await docker('ps', '-aq', '--filter', `label=stackbk.scratch=${scratch.label}`)).toBe('')
  expect(await docker('network', 'ls', '-q', '--filter', `name=${scratch.label}`)).toBe('')
  expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('of production')
})

test('whatever could reach out of a rehearsal is found in the containers made, whoever made them', async () => {
  await busyboxImage()
  const label = `rehearsal-${process.pid}-${Date.now().toString(36)}-check`
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-test-scratch-'))
  await mkdir(join(directory, 'data'))
  await symlink('/etc', join(directory, 'link'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  await docker('network', 'create', '--internal', '--label', `stackbk.scratch=${label}`, `${label}-inside`)
  await docker('network', 'create', '--label', `stackbk.scratch=${label}`, `${label}-open`)
  onTestFinished(async () => {
    await docker('rm', '-f', '-v', ...(await docker('ps', '-aq', '--filter', `name=${label}`)).split('\n'))
    await docker('network', 'rm', `${label}-inside`, `${label}-open`)
  })
  const make = async (name: string, ...options: string[]): Promise<string> =>
    docker('create', '--name', `${label}-${name}`, '--label', `stackbk.scratch=${label}`, '--cgroupns', 'private', '--log-driver', 'json-file', ...(options.includes('--network') ? [] : ['--network', `${label}-inside`]), ...options, testImage, 'true')
  const fine = await make('fine', '-v', `${directory}/data:/data`, '--cap-add', 'SYS_NICE', '--security-opt', 'no-new-privileges', '--tmpfs', '/tmp2')
  const cases: Record<string, [options: string[], trouble: RegExp]> = {
    host: [['--network', 'host'], /its network is host/],
    open: [['--network', `${label}-open`], /-open has a way out/],
    pid: [['--pid', 'host'], /process IDs/],
    ipc: [['--ipc', 'host'], /shared memory/],
    uts: [['--uts', 'host'], /host name/],
    cgroup: [['--cgroupns', 'host'], /control groups/],
    parent: [['--cgroup-parent', '/elsewhere'], /control groups/],
    privileged: [['--privileged'], /it is privileged/],
    device: [['--device', '/dev/null:/dev/xnull'], /devices/],
    rule: [['--device-cgroup-rule', 'c 1:3 rwm'], /devices/],
    capability: [['--cap-add', 'SYS_ADMIN'], /SYS_ADMIN/],
    security: [['--security-opt', 'seccomp=unconfined'], /seccomp=unconfined/],
    masks: [['--security-opt', 'systempaths=unconfined'], /kernel's own files/],
    port: [['-p', '127.0.0.1::80'], /publishes ports/],
    ports: [['-P'], /publishes ports/],
    names: [['--add-host', 'production:10.0.0.1'], /names of elsewhere/],
    restart: [['--restart', 'always'], /would start it again/],
    log: [['--log-driver', 'syslog'], /output goes elsewhere/],
    bind: [['-v', '/srv:/srv'], /leads out of the rehearsal, to \/srv/],
    link: [['-v', `${directory}/link:/link`], /leads out of the rehearsal/],
    whole: [['-v', `${directory}:/all`], /leads out of the rehearsal/],
    socket: [['-v', '/var/run/docker.sock:/docker.sock'], /leads out of the rehearsal/],
    volume: [['-v', '/anonymous'], /is a volume of the engine/],
    shared: [['--mount', `type=bind,source=${directory}/data,target=/data,bind-propagation=rshared`], /shared with the host/],
    label: [['--label', 'stackbk.scratch=another'], /label of the rehearsal/],
  }
  const ids = [fine]
  for (const [name, [options]] of Object.entries(cases)) ids.push(await make(name, ...options))
  const found = good(await findWaysOut(createDocker(createExec()), { label, directory, containers: ids }))
  for (const [name, [, trouble]] of Object.entries(cases)) expect(found.filter((one) => one.startsWith(`${label}-${name}: `) || one.startsWith(`network ${label}-${name} `)).join('\n'), name).toMatch(trouble)
  expect(found.filter((one) => one.startsWith(`${label}-fine`) || one.startsWith(`network ${label}-inside`))).toEqual([])
})

test('a rehearsal has its data below its folder: links that lead out lead nowhere, each replica has what was its own', async () => {
  const { runtime } = await liveRuntime()
  const image = await busyboxImage({ reference: 'stackbk-test/busybox-volume:1', changes: ['VOLUME /declared'] })
  const stack = await liveStack({
    isUp: false,
    compose: {
      services: {
        flaky: service({ restart: 'always', volumes: ['./state:/state'], command: ['sh', '-c', 'echo x >> /state/n; [ $$(wc -l < /state/n) -ge 3 ] || exit 7; touch /tmp/ready; sleep 1000000'], healthcheck: quickHealthcheck() }),
        once: service({ command: ['true'], restart: 'on-failure' }),
        after: service({ depends_on: { once: { condition: 'service_completed_successfully' } } }),
        link: service({ volumes: ['./link:/link', './link/below:/below', './config:/config:ro', 'nowhere:/nowhere', '/etc/hostname:/etc/stackbk-hostname:ro'] }),
        twice: service({ image, volumes: ['/own'] }),
      },
      volumes: { nowhere: {} },
    },
  })
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-test-outside-'))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  await mkdir(join(outside, 'below'))
  const scratch = await scratchFor(runtime)
  const folder = await scratch.place(stack.directory)
  await mkdir(join(folder, 'state'))
  await mkdir(join(folder, 'config'))
  await symlink(outside, join(folder, 'link'))
  const anonymous: CapsuleVolume[] = []
  for (const number of [1, 2]) {
    const path = `/var/lib/docker/volumes/${number}/_data`
    await writeFile(join(await scratch.place(path), 'mark'), String(number))
    anonymous.push({ name: 'x', key: '', driver: 'local', options: {}, labels: {}, isExternal: false, isAnonymous: true, path, service: 'twice', containerNumber: number, target: '/own' })
  }
  const capsule = asIfRunning(await capsuleOf(runtime, stack), { flaky: 1, once: 1, after: 1, link: 1, twice: 2 }, { volumes: anonymous })

  const rehearsal = good(await runtime.startIsolated(capsule, scratch))
  expect(rehearsal).toMatchObject({ healthy: true, missing: [] })
  expect(servicesOf(rehearsal)).toEqual(['after', 'flaky', 'link', 'once', 'twice', 'twice'])
  expect(await readFile(join(folder, 'state/n'), 'utf8')).toBe('x\nx\nx\n')
  const of = (name: string): string[] => rehearsal.containers.filter((container) => container.service === name).map((container) => container.id)
  const inside = async (id: string, command: string): Promise<string> => good(await runtime.runInside(id, ['sh', '-c', command], { timeoutMs: 10_000 })).output
  expect(await inside(of('link')[0]!, 'ls -A /link /below /nowhere | grep -v : ; cat /etc/stackbk-hostname; touch /nowhere/w /link/w && echo ok; touch /config/w || echo read-only')).toMatch(/^ok\nread-only/)
  expect((await Promise.all(of('twice').map((id) => inside(id, 'cat /own/mark; touch /declared/w && echo ok')))).sort()).toEqual(['1ok', '2ok'])
  for (const container of await inspected(...rehearsal.containers.map(({ id }) => id))) for (const mount of container.Mounts) expect([mount.Type, mount.Source.startsWith(`${scratch.directory}/`)]).toEqual(['bind', true])
  expect(rehearsal.leftOut.filter((one) => one.includes('service link')).length).toBe(4)

  // What the label is on once, a second rehearsal of the same stack does not come in between; one of another stack may share it.
  expect(await runtime.startIsolated(capsule, scratch)).toMatchObject({ ok: false, failure: { kind: 'usage' } })
  const other = good(await runtime.startIsolated({ ...asIfRunning(capsule, { link: 1 }), stack: 'Other One' }, scratch))
  expect(other).toMatchObject({ healthy: true })
  expect(other.containers.map(({ name }) => name)).toEqual([`${scratch.label}-otherone-link-1`])
  const all = [...rehearsal.containers, ...other.containers].length
  expect(good(await runtime.removeByLabel(scratch.label)).removed).toBeGreaterThan(all)
  expect(good(await runtime.removeByLabel(scratch.label))).toEqual({ removed: 0 })
})

test('a rehearsal without a usable place, label, model or image says so, and leaves nothing', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: { web: service() } } })
  const capsule = asIfRunning(await capsuleOf(runtime, stack), { web: 1 })
  const scratch = await scratchFor(runtime, { [stack.directory]: stack.directory })
  expect(await runtime.startIsolated(capsule, scratch)).toMatchObject({ ok: false, failure: { kind: 'usage', message: expect.stringContaining('outside of the rehearsal') } })
  const empty = { ...scratch, restored: new Map() }
  expect(await runtime.startIsolated(capsule, { ...empty, label: 'Not Good' })).toMatchObject({ ok: false, failure: { kind: 'usage' } })
  expect(await runtime.startIsolated(capsule, { ...empty, directory: '/nonexistent' })).toMatchObject({ ok: false, failure: { kind: 'usage' } })
  const image = { ...capsule.projects[0]!.images[0]!, reference: 'stackbk-test/never:1', id: '' }
  expect(await runtime.startIsolated(asIfRunning(capsule, { web: 1 }, { images: [image] }), empty)).toMatchObject({ ok: false, failure: { kind: 'not-found', message: expect.stringContaining('stackbk-test/never:1') } })
  expect(good(await runtime.startIsolated(asIfRunning(capsule, { web: 1 }, { model: null }), empty))).toMatchObject({ healthy: true, containers: [], leftOut: [expect.stringContaining('did not resolve at the snapshot')] })
  expect(await runtime.removeByLabel(scratch.label)).toMatchObject({ ok: true, value: { removed: 0 } })
})

test('a command inside gives its exit code and its words; what could not be run, or went on for too long, is told apart', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ compose: { services: { web: service({ environment: { TOKEN: 'hunter-two-of-many' } }) } } })
  const [id] = Object.values(await stack.containers())
  good(await runtime.inspect([stack.directory]))
  const inside = (...argv: string[]): ReturnType<Runtime['runInside']> => runtime.runInside(id!, argv, { timeoutMs: 5000 })
  expect(good(await inside('sh', '-c', 'echo out; echo $TOKEN; echo err >&2; exit 3'))).toEqual({ exitCode: 3, output: 'out\n********\nerr' })
  expect(good(await inside('echo', '$HOME', '--', '-x'))).toEqual({ exitCode: 0, output: '$HOME -- -x' })
  expect(good(await inside('sh', '-c', 'exit 127'))).toEqual({ exitCode: 127, output: '' })
  expect(await inside('no-such-command')).toMatchObject({ ok: false, failure: { kind: 'failed', toolOutput: expect.stringContaining('no-such-command') } })
  expect(await inside()).toMatchObject({ ok: false, failure: { kind: 'usage' } })
  expect(good(await runtime.runInside(id!, ['sleep', '1000'], { timeoutMs: 300 })).exitCode).toBeNull()
  await stack.compose('stop', '-t', '1')
  expect(await inside('true')).toMatchObject({ ok: false, failure: { kind: 'failed', toolOutput: expect.stringContaining('not running') } })
})

test('a service of which something is missing or refused is left out with what needs it, and the others are drilled', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({
    isUp: false,
    compose: {
      services: {
        good: service(),
        missing: service({ image: 'stackbk-test/never:1' }),
        waiting: service({ depends_on: ['missing'] }),
        refused: service({ cpus: 9999 }),
        sidecar: service({ network_mode: 'service:refused' }),
      },
    },
  })
  const capsule = asIfRunning(await capsuleOf(runtime, stack), { good: 1, missing: 1, waiting: 1, refused: 1, sidecar: 1 })
  const scratch = await scratchFor(runtime)
  const drill = good(await runtime.startIsolated(capsule, scratch))
  expect(drill).toMatchObject({ healthy: true, missing: [] })
  expect(servicesOf(drill)).toEqual(['good'])
  const unavailable = Object.fromEntries((drill.unavailable ?? []).map(({ service: name, reason }) => [name, reason]))
  expect(Object.keys(unavailable).sort()).toEqual(['missing', 'refused'])
  expect(unavailable['missing']).toContain('stackbk-test/never:1')
  expect(unavailable['refused']).toMatch(/cpu/i)
  expect(drill.leftOut.join('\n')).toMatch(/Service waiting is not run: it needs missing.*\n.*Service sidecar is not run: it needs refused/s)
})

test('a service that cannot become healthy without another stack is reported apart from one whose data is bad', async () => {
  const { runtime } = await liveRuntime()
  const external = `stackbk-test-shared-${process.pid}-${Date.now().toString(36)}`
  await docker('network', 'create', external)
  onTestFinished(async () => void (await docker('network', 'rm', external)))
  const quick = { interval: '300ms', timeout: '5s', retries: 2 }
  const stack = await liveStack({
    isUp: false,
    compose: {
      services: {
        asking: service({ networks: ['shared'], healthcheck: { test: ['CMD-SHELL', 'nc -w 2 other-db 5432 </dev/null'], ...quick } }),
        ending: service({ command: ['sh', '-c', 'nc -w 2 other-db 5432 </dev/null || exit 1'] }),
        after: service({ depends_on: { asking: { condition: 'service_healthy' } } }),
        bad: service({ networks: ['shared'], volumes: ['./data:/data'], healthcheck: { test: ['CMD-SHELL', 'test -f /data/ready'], ...quick } }),
        fine: service({ networks: ['shared'] }),
      },
      networks: { shared: { name: external, external: true } },
    },
    files: { 'data/x': '' },
  })
  const capsule = asIfRunning(await capsuleOf(runtime, stack), { asking: 1, ending: 1, after: 1, bad: 1, fine: 1 })
  const drill = good(await runtime.startIsolated(capsule, { ...(await scratchFor(runtime)), healthTimeoutMs: 10_000 }))
  expect(drill.missing.map((one) => one.service).sort()).toEqual(['after', 'asking', 'bad', 'ending'])
  const needs = Object.fromEntries((drill.outsideNeeds ?? []).map((one) => [one.service, one.reason]))
  expect(Object.keys(needs).sort()).toEqual(['after', 'asking', 'ending'])
  expect(needs['asking']).toContain('other-db')
  expect(needs['asking']).toContain(external)
  expect(needs['ending']).toContain('other-db')
})

test('stacks whose names are one to Compose are drilled next to each other', async () => {
  const { runtime } = await liveRuntime()
  const stack = await liveStack({ isUp: false, compose: { services: { web: service() } } })
  const capsule = asIfRunning(await capsuleOf(runtime, stack), { web: 1 })
  const scratch = await scratchFor(runtime)
  const drills = []
  for (const name of ['web.1', 'Web1', 'web1', 'Ü']) drills.push(good(await runtime.startIsolated({ ...capsule, stack: name }, scratch)))
  expect(drills.map(({ healthy }) => healthy)).toEqual([true, true, true, true])
  expect(new Set(drills.flatMap(({ containers }) => containers.map(({ name }) => name))).size).toBe(4)
  expect(await runtime.startIsolated({ ...capsule, stack: 'web1' }, scratch)).toMatchObject({ ok: false, failure: { kind: 'usage' } })
})
