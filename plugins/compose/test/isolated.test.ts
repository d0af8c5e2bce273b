import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Capsule, IsolatedStack, Runtime, Scratch } from '@stackbk/contract'
import { expect, onTestFinished, test } from 'vitest'

import { type ComposeStack, docker, quickHealthcheck, service } from '../../../test/fixtures/compose-stack.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'

let count = 0

/** A folder and a label for a rehearsal; whatever it made is gone after the test. */
async function scratchFor(runtime: Runtime, restored: Readonly<Record<string, string>> = {}): Promise<Scratch & { place(original: string): Promise<string> }> {
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-test-scratch-'))
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
  expect(await docker('exec', db!.id, 'sh', '-c', 'ls -A /outside; echo $PASSWORD')).toBe('hunter$2')
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
