import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { docker, healthyCommand, politeCommand, quickHealthcheck } from '../fixtures/compose-stack.js'
import { freeSubnet } from '../fixtures/free-subnet.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, until, type World, type WorldStack } from '../fixtures/world.js'

const quick = { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } }
const polite = { image: testImage, command: politeCommand }
const modes = ['auto', 'stop', 'pause', 'down', 'none'] as const

interface Inspected {
  readonly Id: string
  readonly Name: string
  readonly Image: string
  readonly State: { readonly Status: string; readonly ExitCode: number }
  readonly Config: { readonly Hostname: string; readonly Env: string[] | null; readonly Labels: Record<string, string>; readonly Cmd: string[] }
  readonly HostConfig: { readonly NetworkMode: string; readonly RestartPolicy: object; readonly AutoRemove: boolean; readonly Binds: string[] | null }
  readonly Mounts: { readonly Type: string; readonly Name?: string; readonly Source: string; readonly Destination: string; readonly RW: boolean }[]
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAMConfig: object | null; readonly Aliases: string[] | null; readonly DriverOpts: object | null }> }
}

/** All that a user could tell one container from another by, of every container whose name begins so; `withIds`: and the container itself. */
async function containers(prefix: string, { withIds }: { readonly withIds: boolean }): Promise<Record<string, unknown>> {
  const ids = (await docker('ps', '-aq', '--no-trunc', '--filter', `name=^/?${prefix}`)).split('\n').filter((id) => id !== '')
  const found = ids.length === 0 ? [] : (JSON.parse(await docker('inspect', ...ids)) as Inspected[])
  const nameOf = new Map(found.map(({ Id, Name }) => [Id, Name]))
  const owner = (mode: string): string => (mode.startsWith('container:') ? `container:${nameOf.get(mode.slice('container:'.length)) ?? mode}` : mode)
  return Object.fromEntries(
    found.map((container) => [
      container.Name,
      {
        ...(withIds ? { id: container.Id } : {}),
        image: container.Image,
        status: container.State.Status,
        exitCode: container.State.Status === 'exited' ? container.State.ExitCode : null,
        environment: [...(container.Config.Env ?? [])].sort(),
        command: container.Config.Cmd,
        // The hash counts the ID of the container whose network is shared.
        labels: container.HostConfig.NetworkMode.startsWith('container:') ? { ...container.Config.Labels, 'com.docker.compose.config-hash': '' } : container.Config.Labels,
        restart: container.HostConfig.RestartPolicy,
        mounts: container.Mounts.map(({ Type, Source, Destination, RW }) => `${Type} ${Source} ${Destination} ${RW}`).sort(),
        networkMode: owner(container.HostConfig.NetworkMode),
        networks: Object.fromEntries(
          Object.entries(container.NetworkSettings.Networks).map(([name, network]) => [
            name,
            { address: network.IPAMConfig, options: network.DriverOpts, aliases: (network.Aliases ?? []).filter((alias) => !container.Id.startsWith(alias)).sort() },
          ]),
        ),
      },
    ]),
  )
}

describe.each(sampled(modes, 3))('by mode %s', (mode) => {
  let world: World
  beforeAll(async () => {
    world = await makeWorld({ settings: quick })
  })
  afterAll(() => world.remove())

  const backup = (...args: string[]): ReturnType<World['backup']> => world.backup([...args, '--stop-mode', mode])

  /** Backs it up and compares. `keeps`: the very containers; else others that are the same. */
  async function comesBack(stack: WorldStack, { keeps, but = [] }: { readonly keeps: boolean; readonly but?: readonly string[] }): Promise<Awaited<ReturnType<World['backup']>>> {
    const before = await containers(world.prefix, { withIds: keeps })
    const call = await backup(stack.name)
    for (const name of but) delete before[name]
    expect(await containers(world.prefix, { withIds: keeps })).toEqual(before)
    return call
  }

  it('replicas, profiles, paused and stopped services, finished jobs, static addresses and aliases are what they were', async () => {
    const subnet = freeSubnet()
    const stack = await world.stack('rich', {
      model: {
        services: {
          db: {
            ...polite,
            command: healthyCommand,
            healthcheck: quickHealthcheck(),
            restart: 'always',
            volumes: ['./data:/data', 'vol:/vol'],
            environment: { KEY: '${KEY}', PLAIN: 'a b' },
            networks: { back: { ipv4_address: `${subnet}.9`, aliases: ['store'] } },
            labels: { own: 'label' },
          },
          migrate: { ...polite, command: ['true'], depends_on: { db: { condition: 'service_healthy' } }, networks: ['back'] },
          web: { ...polite, depends_on: { migrate: { condition: 'service_completed_successfully' } }, networks: ['back', 'front'] },
          side: { ...polite, network_mode: 'service:db' },
          admin: { ...polite, profiles: ['ops'], networks: ['front'] },
          never: { ...polite, profiles: ['other'] },
          halted: { ...polite, network_mode: 'none' },
          frozen: { ...polite, network_mode: 'none' },
        },
        volumes: { vol: {} },
        networks: { back: { ipam: { config: [{ subnet: `${subnet}.0/24` }] } }, front: {} },
      },
      files: { 'more.yaml': JSON.stringify({ services: { web: { environment: { OF_THE_OVERRIDE: 'yes' } } } }), 'values.env': 'KEY=of the file\n' },
      isUp: false,
    })
    const compose = (...args: string[]): Promise<string> => stack.compose('-p', `${stack.project}-blue`, '-f', 'compose.yaml', '-f', 'more.yaml', '--env-file', 'values.env', ...args)
    await compose('--profile', 'ops', 'up', '-d', '--scale', 'web=3')
    await compose('stop', '-t', '5', 'halted')
    await compose('pause', 'frozen')
    // Who asks for `down` loses the containers that do not run, and is told.
    const lost = mode === 'down' ? ['halted', 'migrate'].map((service) => `${stack.project}-blue-${service}-1`) : []
    const call = await comesBack(stack, { keeps: mode !== 'down', but: lost.map((name) => `/${name}`) })
    expect(call.stack('rich').problems.map(({ code, message }) => [code, lost.find((name) => message.includes(`${name} does not run`))])).toEqual(lost.map((name) => ['down-changes', name]))
    expect(call.stack('rich')).toMatchObject({ status: 'ok', stateBefore: 'running', quiet: mode !== 'none', stopMode: mode === 'auto' ? 'stop' : mode })
    expect(call.stack('rich').servicesBefore).toEqual(['admin', 'db', 'frozen', 'side', 'web'])
  })

  // A pause touches no container, and none does nothing at all.
  it.skipIf(mode === 'pause' || mode === 'none')('two projects of one folder, by -p and by COMPOSE_PROJECT_NAME, both come back', async () => {
    const stack = await world.stack('twice', { services: { app: { ...polite, network_mode: 'none' } }, files: { '.env': `COMPOSE_PROJECT_NAME=${world.prefix}-named\n` }, isUp: false })
    await stack.up()
    await stack.compose('-p', `${world.prefix}-blue`, 'up', '-d', '--scale', 'app=2')
    const call = await comesBack(stack, { keeps: mode !== 'down' && mode !== 'auto' })
    expect(call.stack('twice')).toMatchObject({ status: 'ok', servicesBefore: ['app'] })
    expect(Object.keys(await containers(`${world.prefix}-(named|blue)-`, { withIds: false })).sort()).toEqual([`/${world.prefix}-blue-app-1`, `/${world.prefix}-blue-app-2`, `/${world.prefix}-named-app-1`])
  })

  it('what was made by hand comes back: one-off containers, networks that were joined, neighbours in a network namespace', async () => {
    const stack = await world.stack('byhand', { services: { vpn: polite, app: polite } })
    const [network, neighbour] = [`${world.prefix}-9_hand`, `${world.prefix}-9-neighbour-1`]
    const subnet = freeSubnet()
    await docker('network', 'create', '--subnet', `${subnet}.0/24`, '--label', `com.docker.compose.project=${world.prefix}-9`, network)
    await docker('network', 'connect', '--ip', `${subnet}.7`, '--alias', 'hand', network, `${stack.project}-app-1`)
    await stack.compose('run', '-d', '--no-deps', '--name', `${stack.project}-once`, 'app')
    await docker('run', '-d', '--name', neighbour, '--label', `com.docker.compose.project=${world.prefix}-9`, '--network', `container:${stack.project}-vpn-1`, testImage, ...politeCommand)
    const call = await comesBack(stack, { keeps: true })
    await docker('network', 'disconnect', '--force', network, `${stack.project}-app-1`)
    expect(call.stack('byhand')).toMatchObject({ status: 'ok', quiet: mode !== 'none' })
    expect(call.stack('byhand').stopMode).toBe(mode === 'auto' || mode === 'down' ? 'stop' : mode)
    await until('the neighbour is in the network of its owner', async () => {
      const of = (name: string): Promise<string> => docker('exec', name, 'readlink', '/proc/self/ns/net')
      return (await of(neighbour)) === (await of(`${stack.project}-vpn-1`))
    })
  })
})

describe('which mode counts', () => {
  let world: World
  let stack: WorldStack
  beforeAll(async () => {
    world = await makeWorld({ settings: quick })
    stack = await world.stack('web', { services: { app: { ...polite, network_mode: 'none', labels: { 'stackbk.stop-mode': 'pause' } } } })
  })
  afterAll(() => world.remove())
  const modeOf = async (...args: string[]): Promise<string> => (await world.backup([stack.name, ...args])).stack(stack.name).stopMode

  it('the flag before [stack:NAME] before the label before [docker]', async () => {
    world.configure({ docker: { STOP_MODE: 'none' } })
    expect(await modeOf()).toBe('pause')
    world.configure({ 'stack:web': { STOP_MODE: 'stop' } })
    expect(await modeOf()).toBe('stop')
    expect(await modeOf('--stop-mode', 'none')).toBe('none')
    expect(await modeOf('--stop-mode', 'auto')).toBe('down')
    world.configure({ 'stack:web': { STOP_MODE: null } })
    expect(await modeOf()).toBe('pause')
  })
})
