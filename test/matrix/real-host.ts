import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { docker, healthyCommand, politeCommand, quickHealthcheck, stubbornCommand } from '../fixtures/compose-stack.js'
import { testImage } from '../fixtures/busybox-image.js'
import { makeHangingMount, type HangingMount } from '../fixtures/hanging-mount.js'
import { makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, type World } from '../fixtures/world.js'

const execute = promisify(execFile)

/** A stack of the host: what has to run, and how its data is read back. */
export interface HostStack {
  readonly name: string
  readonly project: string
  readonly directory: string
  /** Services that ran at the beginning, sorted; those that the user stopped are not in it. */
  readonly services: readonly string[]
  readonly isEnabled: boolean
}

/** A home server with everything at once that makes backups go wrong. */
export interface RealHost {
  readonly world: World
  readonly stacks: readonly HostStack[]
  readonly library: SmallDisk
  readonly networkDrive: HangingMount
  stack(name: string): HostStack
  /** Services of the stack's own folder that run, sorted. */
  running(stack: HostStack): Promise<readonly string[]>
  /** ID and start time of each container of the stack's own folder: the same text means that nothing touched them. */
  containers(stack: HostStack): Promise<string>
  /** What the container sees in a file; empty when it is not there. */
  read(stack: HostStack, service: string, file: string): Promise<string>
  write(stack: HostStack, service: string, file: string, content: string): Promise<void>
  remove(): Promise<void>
}

const app = { image: testImage, command: politeCommand, network_mode: 'none' }

/**
 * Stacks: `web` (two services, one waits for the other's health), `manager` (the whole stacks folder mounted, writable), `cache`
 * (a volume that the engine mounts only while it is used), `photos` (a disk below its folder that no snapshot holds), `music`,
 * `films` and `books` (one project name in three folders, `books` not enabled), `edited` (a volume renamed in the file and not
 * applied), `sick` (its healthcheck never passes), `stubborn` (ignores SIGTERM), `resting` (one of its services was stopped by
 * its user). `drive` in the stacks folder is a network drive that hangs from time to time, which no stack uses.
 */
export async function makeRealHost(): Promise<RealHost> {
  const world = await makeWorld({
    settings: {
      docker: { DOCKER_TIMEOUT: 1, HEALTH_TIMEOUT: 10 },
      local_backup: { KEEP_WITHIN: 0, KEEP_LAST: 0, KEEP_DAILY: 5, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 },
      'stack:photos': { EXCLUDE: 'library' },
    },
  })
  world.configure({ 'stack:manager': { IGNORE_MOUNTS: world.stacks } })
  const stacks: HostStack[] = []
  const media = `${world.prefix}-media`
  const add = async (name: string, model: object, { project = `${world.prefix}-${name}`, services, isEnabled = true }: { readonly project?: string; readonly services?: readonly string[]; readonly isEnabled?: boolean } = {}): Promise<void> => {
    const directory = join(world.stacks, name)
    mkdirSync(join(directory, 'data'), { recursive: true })
    writeFileSync(join(directory, 'data', 'first'), `${name}\n`)
    writeFileSync(join(directory, 'compose.yaml'), JSON.stringify({ name: project, ...model }, null, 2))
    await compose(directory, 'up', '-d', '--pull', 'never')
    if (isEnabled) world.enable(name)
    stacks.push({ name, project, directory, isEnabled, services: services ?? Object.keys((model as { services: object }).services).sort() })
  }

  const library = await makeSmallDisk({ path: join(world.stacks, 'photos', 'library'), bytes: 32 << 20, kind: 'ext4' })
  const networkDrive = await makeHangingMount(join(world.stacks, 'drive'))
  const host: RealHost = {
    world,
    stacks,
    library,
    networkDrive,
    stack: (name) => stacks.find((stack) => stack.name === name) ?? raise(`there is no stack ${name}`),
    running: async (stack) => (await containersOf(stack)).filter(({ state }) => state === 'running').map(({ service }) => service).sort(),
    async containers(stack) {
      const ids = (await containersOf(stack)).map(({ id }) => id)
      return ids.length === 0 ? '' : (await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}} {{.State.Status}}', ...ids)).split('\n').sort().join('\n')
    },
    read: async (stack, service, file) => docker('exec', await containerOf(stack, service), 'cat', file).catch(() => ''),
    write: async (stack, service, file, content) => void (await docker('exec', await containerOf(stack, service), 'sh', '-c', 'printf %s "$1" > "$2"', 'sh', content, file)),
    async remove() {
      await networkDrive.remove()
      const projects = [...new Set(stacks.map(({ project }) => project))]
      for (const project of projects) await removeContainersOf(project)
      await library.remove()
      await world.remove()
    },
  }
  try {
    await add('web', {
      services: {
        db: { ...app, command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['./data:/data', 'vol:/vol'] },
        site: { image: testImage, command: politeCommand, depends_on: { db: { condition: 'service_healthy' } } },
      },
      volumes: { vol: {} },
    })
    await add('manager', { services: { panel: { ...app, volumes: [`${world.stacks}:${world.stacks}`, './data:/data'] } } })
    await add('cache', { services: { cache: { ...app, volumes: ['./data:/data', 'memory:/memory'] } }, volumes: { memory: { driver_opts: { type: 'tmpfs', device: 'tmpfs', o: 'size=4m' } } } })
    await add('photos', { services: { gallery: { ...app, volumes: ['./data:/data', './library:/library'] } } })
    for (const name of ['music', 'films', 'books']) await add(name, { services: { [name]: { image: testImage, command: politeCommand, volumes: ['./data:/data'] } } }, { project: media, isEnabled: name !== 'books' })
    await add('edited', { services: { base: { ...app, volumes: ['rows:/rows'] } }, volumes: { rows: {} } })
    await add('sick', { services: { app: { ...app, volumes: ['./data:/data'], healthcheck: { test: ['CMD', 'false'], interval: '500ms', retries: 2 } } } })
    await add('stubborn', { services: { app: { ...app, command: stubbornCommand, volumes: ['./data:/data'] } } })
    await add('resting', { services: { front: { ...app, volumes: ['./data:/data'] }, worker: { ...app } } }, { services: ['front'] })
    await compose(host.stack('resting').directory, 'stop', 'worker')
    await host.write(host.stack('edited'), 'base', '/rows/row', 'kept')
    const file = join(host.stack('edited').directory, 'compose.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"rows": {}', `"rows": {"name": "${world.prefix}-other-rows"}`))
    writeFileSync(join(library.path, 'picture'), 'precious')
    return host
  } catch (error) {
    await host.remove()
    throw error
  }
}

interface HostContainer {
  readonly id: string
  readonly service: string
  readonly state: string
}

/** By the label of the working directory: three of the stacks share one project name. */
async function containersOf(stack: HostStack): Promise<readonly HostContainer[]> {
  const printed = await docker(
    ...['ps', '-a', '--no-trunc', '--filter', `label=com.docker.compose.project=${stack.project}`],
    ...['--filter', `label=com.docker.compose.project.working_dir=${stack.directory}`],
    ...['--format', '{{.ID}}\t{{.Label "com.docker.compose.service"}}\t{{.State}}'],
  )
  return printed.split('\n').filter((line) => line !== '').map((line) => {
    const [id = '', service = '', state = ''] = line.split('\t')
    return { id, service, state }
  })
}

async function containerOf(stack: HostStack, service: string): Promise<string> {
  const found = (await containersOf(stack)).find((container) => container.service === service)
  return found?.id ?? raise(`${stack.name} has no container of ${service}`)
}

async function compose(directory: string, ...args: string[]): Promise<void> {
  await execute('docker', ['compose', '--progress', 'quiet', ...args], { cwd: directory, env: { ...process.env, COMPOSE_IGNORE_ORPHANS: '1' } })
}

async function removeContainersOf(project: string): Promise<void> {
  const filter = ['--filter', `label=com.docker.compose.project=${project}`]
  for (const [kind, list] of [['rm', ['ps', '-aq']], ['network', ['network', 'ls', '-q']], ['volume', ['volume', 'ls', '-q']]] as const) {
    const ids = (await docker(...list, ...filter)).split('\n').filter((id) => id !== '')
    if (ids.length > 0) await docker(...(kind === 'rm' ? ['rm', '-f', '-v'] : [kind, 'rm']), ...ids)
  }
}

function raise(message: string): never {
  throw new Error(message)
}
