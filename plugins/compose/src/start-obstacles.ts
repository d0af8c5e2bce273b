import { isIP, isIPv6 } from 'node:net'

import { answered } from '@stackbk/contract'
import type { Answer, CallOptions, ContainerMount, ContainerState, StackState, StartObstacle } from '@stackbk/contract'
import { type FileFacts, files } from '@stackbk/tool-runner/files'

import { isAlive, isKnownFromCapsule } from './container.js'
import { isAbsent, signOfElsewhere } from './engine-host.js'
import { type Json, list, number, record, text, textList } from './json.js'
import { localAddresses, mayUseAnyAddress } from './local-addresses.js'
import { type Mount, mountOf, readMounts } from './mount-table.js'
import { isInside, realPath } from './paths.js'
import { knownEngine } from './readiness.js'
import { StackMounts } from './stack-mounts.js'
import type { Tools } from './tools.js'
import { existingVolumes, type Volume } from './volumes.js'
import { isOfTheSystem } from './watch.js'

/** A container that runs, with what the engine says of it now. */
interface Running {
  readonly container: ContainerState
  /** The process that began it, as the engine numbers it; 0 where none runs. */
  readonly pid: number
  readonly hostConfig: Json
}

/** A path of this host that a start needs. */
interface NeededPath {
  readonly path: string
  readonly what: 'device' | 'volume' | 'bind'
  /** The volume's name; empty for others. */
  readonly volume: string
  /** What is mounted there; `null` for a device. */
  readonly mount: ContainerMount | null
  /** The engine would make a folder where nothing is. */
  readonly isMadeByEngine: boolean
  readonly running: Running
}

/** An obstacle, and of a shared namespace whose owner is gone, the container that has it. */
export interface FoundObstacle extends StartObstacle {
  readonly orphan?: ContainerState
}

/**
 * Returns why containers that run could not be started again, or would come back with other data than they have now: a device, a
 * source of a mount, the owner of a shared namespace or the address of a port that is gone, and a folder that has been exchanged since
 * the start. It looks
 * at this host, so it says nothing of the paths of an engine that runs elsewhere. In doubt there is no obstacle.
 */
export async function startObstacles(tools: Tools, state: StackState, options: CallOptions = {}): Promise<Answer<readonly FoundObstacle[]>> {
  const alive = [...state.projects.flatMap((project) => project.containers), ...state.dependents].filter((container) => isAlive(container) && !isKnownFromCapsule(container))
  if (alive.length === 0) return answered([])
  const inspected = await tools.docker.inspect('container', alive.map(({ id }) => id), options)
  if (!inspected.ok) return inspected
  const running = alive.flatMap((container): Running[] => {
    const description = record(inspected.value.byName.get(container.id))
    return 'HostConfig' in description ? [{ container, pid: number(record(description['State'])['Pid']), hostConfig: record(description['HostConfig']) }] : []
  })
  const volumes = await existingVolumes(tools.docker, alive.flatMap(({ mounts }) => mounts.filter((mount) => mount.kind === 'volume' && mount.driver === 'local').map(({ name }) => name)), options)
  if (!volumes.ok) return volumes
  const [owners, paths, addresses] = await Promise.all([ownerObstacles(tools, running, options), pathObstacles(tools, state, running.flatMap((one) => neededPaths(one, volumes.value)), options), addressObstacles(tools, running, options)])
  if (!owners.ok) return owners
  return answered([...owners.value, ...paths, ...addresses])
}

/** A port that is published at an address keeps working while that is gone, as after a new lease or without a VPN, and cannot be published there again. */
async function addressObstacles(tools: Tools, running: readonly Running[], options: CallOptions): Promise<readonly StartObstacle[]> {
  const published = running.flatMap((one) => addressesOf(one.hostConfig).map((address) => ({ address, running: one })))
  if (published.length === 0) return []
  const parents = await Promise.all(published.map(({ running: { pid } }) => parentOf(pid)))
  if (parents.includes(null)) return []
  const own = await localAddresses(parents.flatMap((parent) => parent ?? []))
  const lacking = own === null ? [] : published.filter(({ address }) => !own.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))
  if (lacking.length === 0) return []
  const engine = await knownEngine(tools.docker, options)
  if (!engine.ok || (await signOfElsewhere(engine.value)) !== null) return []
  const obstacles = [...new Set(lacking.map(({ address }) => address))].map(async (address): Promise<StartObstacle[]> => {
    if (await mayUseAnyAddress(address)) return []
    const names = [...new Set(lacking.filter((one) => one.address === address).map((one) => one.running.container.name))]
    return [{ kind: 'fails', message: `${names.join(', ')} has a port at ${address}, an address that this host does not have now`, fix: 'Bring up the network with that address; if the host has another address now, change it under ports: in the compose file and run: docker compose up -d' }]
  })
  return (await Promise.all(obstacles)).flat()
}

/** The single addresses at which it has its ports, without those that every host has. */
function addressesOf(hostConfig: Json): readonly string[] {
  const bindings = Object.values(record(hostConfig['PortBindings'])).flatMap(list)
  const addresses = bindings.map((binding) => text(binding['HostIp']).replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, ''))
  return [...new Set(addresses)].filter((address) => isIP(address) !== 0 && !['0.0.0.0', '::', '::1'].includes(address) && !address.startsWith('127.'))
}

/** A container in another's namespace names it by its ID, which an updater that makes the other again does not change. */
async function ownerObstacles(tools: Tools, running: readonly Running[], options: CallOptions): Promise<Answer<readonly FoundObstacle[]>> {
  const uses = running.flatMap(({ container }) =>
    ([['network', container.networkMode], ['process IDs', container.pidMode], ['shared memory', container.ipcMode]] as const).flatMap(([namespace, mode]) => {
      const owner = /^container:(.+)$/.exec(mode ?? '')?.[1]
      return owner === undefined || running.some(({ container: { id, name } }) => owner === id || owner === name) ? [] : [{ container, namespace, owner }]
    }),
  )
  const found = await tools.docker.inspect('container', [...new Set(uses.map(({ owner }) => owner))], options)
  if (!found.ok) return found
  return answered(uses.flatMap(({ container, namespace, owner }): FoundObstacle[] => {
    const remake = `Make it again: docker compose up -d --force-recreate --no-deps ${container.service}`
    if (found.value.missing.includes(owner)) return [{ kind: 'fails', message: `the container whose ${namespace} ${container.name} shares is gone, or was made again since`, fix: remake, orphan: container }]
    const description = record(found.value.byName.get(owner))
    if (record(description['State'])['Running'] === true) return []
    const name = text(description['Name']).replace(/^\//, '')
    return [{ kind: 'fails', message: `${container.name} shares the ${namespace} of ${name}, which does not run`, fix: `Start it: docker start ${name}` }]
  }))
}

function neededPaths(running: Running, volumes: ReadonlyMap<string, Volume>): NeededPath[] {
  const { container, hostConfig } = running
  const made = textList(hostConfig['Binds'])
  const common = { volume: '', mount: null, isMadeByEngine: false, running }
  return [
    ...list(hostConfig['Devices']).map((device): NeededPath => ({ ...common, path: text(device['PathOnHost']), what: 'device' })),
    ...container.mounts.flatMap((mount): NeededPath[] => {
      if (mount.kind === 'bind') return [{ ...common, path: mount.source, what: 'bind', mount, isMadeByEngine: made.some((bind) => bind.startsWith(`${mount.source}:`)) }]
      const volume = mount.kind === 'volume' ? volumes.get(mount.name) : undefined
      const source = volume === undefined ? null : sourceOf(volume)
      return source === null ? [] : [{ ...common, path: source.path, what: 'volume', volume: mount.name, mount: source.isBind ? mount : null }]
    }),
  ].filter(({ path }) => path.startsWith('/'))
}

/** The folder or the device that the engine mounts for a volume; `null` where it has none of its own on this host. */
function sourceOf({ driver, options }: Volume): { readonly path: string; readonly isBind: boolean } | null {
  const path = options['device'] ?? ''
  if (driver !== 'local' || !path.startsWith('/') || path.startsWith('//')) return null
  if (/(^|,)r?bind(,|$)/.test(options['o'] ?? '')) return { path, isBind: true }
  return /^(nfs|cifs|smb|fuse)/.test(options['type'] ?? '') ? null : { path, isBind: false }
}

async function pathObstacles(tools: Tools, state: StackState, needed: readonly NeededPath[], options: CallOptions): Promise<readonly StartObstacle[]> {
  const host = await HostView.of(state)
  const verdicts = await Promise.all(needed.map(async (one) => ({ one, verdict: await judge(one, host) })))
  const bad = verdicts.flatMap(({ one, verdict }) => (verdict === null ? [] : [{ one, verdict }]))
  if (bad.length === 0) return []
  const engine = await knownEngine(tools.docker, options)
  if (!engine.ok || (await signOfElsewhere(engine.value)) !== null) return []
  const groups = new Map<string, StartObstacle>()
  for (const { one, verdict } of bad) {
    const key = `${verdict} ${one.what} ${one.path}`
    if (groups.has(key)) continue
    const names = [...new Set(bad.filter((other) => `${other.verdict} ${other.one.what} ${other.one.path}` === key).map((other) => other.one.running.container.name))]
    groups.set(key, obstacleOf(one, verdict, names.join(', ')))
  }
  return [...groups.values()]
}

type Verdict = 'absent' | 'other-kind' | 'other-folder'

function obstacleOf({ path, what, volume }: NeededPath, verdict: Verdict, names: string): StartObstacle {
  if (verdict === 'other-folder') {
    return {
      kind: 'other-data',
      message: `what ${names} uses as ${path} is not what lies at ${path} now: it was moved, exchanged, or hidden by a mount since`,
      fix: `Put it back in its place; if what lies at ${path} now is right, stop the stack, copy over what was written meanwhile, and start it: docker compose up -d --force-recreate`,
    }
  }
  if (verdict === 'other-kind') return { kind: 'fails', message: `${path}, which ${names} uses, was a file and is a folder now, or the other way round`, fix: `Put back what was there, then run: docker compose up -d` }
  switch (what) {
    case 'device':
      return { kind: 'fails', message: `the device ${path}, which ${names} uses, is not there`, fix: 'Plug it in again; if it has another name now, change it in the compose file and run: docker compose up -d. A name below /dev/serial/by-id or /dev/disk/by-id stays the same' }
    case 'volume':
      return { kind: 'fails', message: `${path}, which the volume ${volume} of ${names} is mounted from, is not there`, fix: 'Bring it back; if it has another place now, change the volume in the compose file, and make it again' }
    case 'bind':
      return { kind: 'other-data', message: `${path}, which ${names} has mounted, is not there: a start would fail, or find an empty folder in its place`, fix: 'Put it back in its place, or correct the compose file and run: docker compose up -d' }
  }
}

async function judge(needed: NeededPath, host: HostView): Promise<Verdict | null> {
  const { path, what, mount, running: { pid } } = needed
  const facts = await files.stat(path).catch(() => null)
  if (facts === null) {
    if (!(await isAbsent(path)) || host.isInsideShared(path)) return null
    const isReplaced = what === 'bind' && needed.isMadeByEngine && isTemporary(path) && mount !== null && (await host.hasDeletedFolder(pid, mount.target))
    return isReplaced ? null : 'absent'
  }
  if (mount === null || isOfTheSystem(path) || (facts.kind !== 'directory' && facts.kind !== 'file')) return null
  const kind = await host.kindInContainer(pid, mount.target)
  if ((kind === 'directory' || kind === 'file') && kind !== facts.kind) return 'other-kind'
  // An editor replaces a file by another one: a start gives the container the newer one, as any start would.
  return facts.kind === 'directory' && (await host.hasOtherFolder(pid, mount, path)) ? 'other-folder' : null
}

/** The system deletes folders that are empty here after a time; the engine makes them again. */
function isTemporary(path: string): boolean {
  return ['/tmp', '/var/tmp', '/run', '/var/run'].some((folder) => path !== folder && isInside(path, folder))
}

/** What this host and its containers have mounted, by the kernel's own lists: no file system has to answer for them. */
class HostView {
  readonly #mounts: readonly Mount[]
  readonly #stack: StackMounts
  /** Real paths that containers of the stack mount something on for the host to see. */
  readonly #shared: readonly string[]
  readonly #ofContainers = new Map<number, Promise<readonly Mount[] | null>>()

  private constructor(mounts: readonly Mount[], stack: StackMounts, shared: readonly string[]) {
    this.#mounts = mounts
    this.#stack = stack
    this.#shared = shared
  }

  static async of(state: StackState): Promise<HostView> {
    const containers = [...state.projects.flatMap((project) => project.containers), ...state.dependents].filter(isAlive)
    const binds = containers.flatMap(({ mounts }) => mounts.filter((mount) => mount.kind === 'bind' && mount.isShared === true))
    const [mounts, stack, shared] = await Promise.all([mountsOf('self'), StackMounts.of(state), Promise.all(binds.map(({ source }) => realPath(source)))])
    return new HostView(mounts, stack, shared)
  }

  isInsideShared(path: string): boolean {
    return this.#shared.some((folder) => isInside(path, folder))
  }

  /**
   * Whether the container has another folder at this place than a start would give it. False where that is in doubt: another user's
   * processes, an engine with mounts of its own, network file systems, folders reached through links, and what mounts itself. Where the
   * container only reads, a folder that was exchanged on the same disk is a newer one, as with files.
   */
  async hasOtherFolder(pid: number, { target, writable }: ContainerMount, path: string): Promise<boolean> {
    const inContainer = (await this.#mountsIn(pid))?.filter(({ point }) => point === target) ?? []
    const host = mountOf(this.#mounts, path)
    if (inContainer.length === 0 || host === null || host.type === 'autofs' || this.isInsideShared(path) || this.#stack.isMadeByStack(path)) return false
    if ((await realPath(path)) !== path) return false
    const expected = join(host.root, path.slice(host.point === '/' ? 0 : host.point.length))
    return inContainer.every((mount) => isLocal(mount) && !mount.root.endsWith('//deleted') && (writable || mount.device !== host.device) && !isSame(mount, { ...host, root: expected }))
  }

  /** Whether the container has a folder there that was deleted, so it is empty for good. */
  async hasDeletedFolder(pid: number, target: string): Promise<boolean> {
    const mounts = await this.#mountsIn(pid)
    return mounts?.some(({ point, root }) => point === target && root.endsWith('//deleted')) === true && (await this.kindInContainer(pid, target)) === 'directory'
  }

  /** What a container has at a path; `null` where that cannot be told without asking a file system that may not answer. */
  async kindInContainer(pid: number, target: string): Promise<FileFacts['kind'] | null> {
    const mounts = await this.#mountsIn(pid)
    const root = mountOf(this.#mounts, '/')
    const onTheWay = mounts?.filter(({ point }) => point !== '/' && isInside(target, point)) ?? []
    const [own] = onTheWay
    if (root === null || own === undefined || onTheWay.length > 1 || own.point !== target || (own.device !== root.device && own.type !== 'tmpfs')) return null
    return files.stat(`/proc/${pid}/root${target}`).then(({ kind }) => kind, () => null)
  }

  /** `null` where they cannot be read, or are not comparable with those of this process. */
  #mountsIn(pid: number): Promise<readonly Mount[] | null> {
    const known = this.#ofContainers.get(pid) ?? comparableMounts(pid)
    this.#ofContainers.set(pid, known)
    return known
  }
}

/** The process that has begun this one; `null` where it cannot be seen. */
async function parentOf(pid: number): Promise<number | null> {
  if (pid <= 0) return null
  const status = await files.readText(`/proc/${pid}/status`).catch(() => '')
  return Number(/^PPid:\s*([1-9]\d*)/m.exec(status)?.[1] ?? 0) || null
}

/** The engine resolves the sources of mounts in the namespace of the process that begins the container, which is its parent. */
async function comparableMounts(pid: number): Promise<readonly Mount[] | null> {
  const parent = await parentOf(pid)
  if (parent === null) return null
  try {
    const [own, ofParent, ofContainer] = await Promise.all(['self', String(parent), String(pid)].map(async (process) => (await files.stat(`/proc/${process}/ns/mnt`)).ino))
    return own === ofParent && own !== ofContainer ? await mountsOf(String(pid)) : null
  } catch {
    return null
  }
}

async function mountsOf(process: string): Promise<readonly Mount[]> {
  return readMounts(await files.readText(`/proc/${process}/mountinfo`).catch(() => ''))
}

/** A disk, or a file system of this machine without a device number of its own: its folders keep their names until someone renames them. */
function isLocal({ device, type }: Mount): boolean {
  return !device.startsWith('0:') || ['btrfs', 'zfs', 'bcachefs', 'tmpfs'].includes(type)
}

/** What is mounted anew under the same name has another number, unless it is a disk. */
function isSame(one: Mount, other: Mount): boolean {
  if (one.root !== other.root) return false
  return one.device === other.device || (one.device.startsWith('0:') && one.type === other.type && one.source === other.source)
}

function join(root: string, rest: string): string {
  return root === '/' ? rest || '/' : `${root}${rest}`
}
