import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

import type { Capsule } from '@stackbk/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { importImage, testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import type { EngineEvent } from '../fixtures/engine-watch.js'
import { makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

const realRestic = execFileSync('sh', ['-c', 'command -v restic'], { encoding: 'utf8' }).trim()
const polite = { image: testImage, command: politeCommand, network_mode: 'none' }

describe('three stacks: one running, one stopped, one disabled', () => {
  let world: World
  let web: WorldStack
  let idle: WorldStack
  let off: WorldStack
  let before: { web: string[]; off: string; idle: string; files: string }
  let volume: string
  let call: Awaited<ReturnType<World['backup']>>
  let events: readonly EngineEvent[]

  beforeAll(async () => {
    world = await makeWorld({ repository: 'absent' })
    web = await world.stack('web')
    idle = await world.stack('idle')
    await idle.compose('stop')
    off = await world.stack('off', { model: oneService, isEnabled: false })
    makeOddFiles(join(web.directory, 'data'))
    volume = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${web.project}_vol`)
    makeOddFiles(volume)
    before = { web: await web.running(), off: await off.containers(), idle: await idle.containers(), files: world.picture(world.stacks, world.dirlist, world.config) }
    world.fake('restic', `#!/bin/sh\necho "$(date +%s%N) $1" >> ${world.root}/restic-calls\nexec ${realRestic} "$@"\n`)
    const watch = await world.watch()
    call = await world.backup([], { environment: { PATH: world.fakePath } })
    events = await watch.close()
  })
  afterAll(() => world.remove())

  it('exits 0 with status ok', () => {
    expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
    expect(call.result).toMatchObject({ schemaVersion: 1, command: 'backup', status: 'ok', dryRun: false, problems: [], retention: { status: 'ok', removed: 0 } })
  })

  it('reports the running one as stopped, read quietly and running again, with its downtime', async () => {
    expect(call.stack('web')).toMatchObject({
      directory: web.directory,
      status: 'ok',
      stateBefore: 'running',
      servicesBefore: ['app', 'db'],
      stopMode: 'down',
      quiet: true,
      verification: 'ok',
      problems: [],
    })
    const deaths = events.filter((event) => event.action === 'die').map((event) => event.at)
    const starts = events.filter((event) => event.action === 'start').map((event) => event.at)
    const down = Math.max(...starts) - Math.min(...deaths)
    expect(Math.abs((call.stack('web').downtimeMs ?? Number.NaN) - down)).toBeLessThan(5)
    expect(call.stack('web').readyMs).toBeGreaterThanOrEqual(call.stack('web').downtimeMs ?? Number.NaN)
    expect(await web.running()).toEqual(before.web)
    expect(before.web).toEqual(['app', 'db'])
  })

  it('snapshots the stopped one and leaves it stopped', async () => {
    expect(call.stack('idle')).toMatchObject({ status: 'ok', stateBefore: 'stopped', servicesBefore: [], stopMode: 'none', downtimeMs: null, readyMs: null, quiet: true, verification: 'ok' })
    expect(call.stack('idle').snapshot?.filesNew).toBeGreaterThan(0)
    expect(await idle.containers()).toBe(before.idle)
  })

  it('does not touch the disabled one', async () => {
    expect(call.result.stacks.map((stack) => stack.name)).toEqual(['web', 'idle'])
    expect(await off.containers()).toBe(before.off)
    expect(events.filter((event) => event.project === off.project)).toEqual([])
    expect((await world.snapshots()).map((snapshot) => snapshot.tags)).toEqual([['stackbk', 'stack:web'], ['stackbk', 'stack:idle']])
  })

  it('changes nothing in the stacks folder, the dirlist and the configuration', () => {
    expect(world.picture(world.stacks, world.dirlist, world.config)).toBe(before.files)
  })

  it('leaves no journal, no lock, no temporary file and no process', () => {
    expect(world.journal()).toEqual([])
    expect(readdirSync(join(world.repository, 'locks'))).toEqual([])
    expect(readdirSync(world.temporary)).toEqual([])
    expect(readdirSync(join(world.state, 'children'))).toEqual([])
    expect(world.processes()).toEqual([])
  })

  it('defect 16: verification, retention and prune begin when all is up again', () => {
    const calls = readFileSync(join(world.root, 'restic-calls'), 'utf8').trim().split('\n').map((line) => ({ at: Number(line.split(' ')[0]) / 1e6, command: line.split(' ')[1] }))
    const stopped = Math.min(...events.filter((event) => event.action === 'kill').map((event) => event.at))
    const started = Math.max(...events.filter((event) => event.action === 'start').map((event) => event.at))
    const others = calls.filter(({ command }) => command !== 'backup')
    expect(others.filter(({ at }) => at >= stopped && at <= started)).toEqual([])
    expect(others.filter(({ at }) => at > started).map(({ command }) => command)).toEqual(expect.arrayContaining(['stats', 'forget']))
  })

  it('makes a snapshot that plain restic restores with identical files, modes, owners and times, those of the named volume too', async () => {
    const target = join(world.root, 'out')
    await world.restic('restore', call.stack('web').snapshot?.id ?? '', '--target', target)
    expect(listing(join(target, web.directory))).toBe(listing(web.directory))
    expect(listing(join(target, volume))).toBe(listing(volume))
    expect(listing(volume)).toContain('1234:4321')
  })

  it('has in it, for its owner alone, what ran: model, images, volumes, services', async () => {
    const id = call.stack('web').snapshot?.id ?? ''
    const entries = (await world.restic('ls', '--json', id)).trim().split('\n').map((line) => JSON.parse(line) as { path?: string; permissions?: string })
    const file = entries.find(({ path }) => path?.endsWith('/stackbk-capsule.json'))
    expect(file?.permissions).toBe('-rw-------')
    expect(file?.path?.startsWith(`${world.state}/`)).toBe(true)
    const capsule = JSON.parse(await world.restic('dump', id, file?.path ?? '')) as Capsule
    expect(capsule).toMatchObject({ schemaVersion: 1, stack: 'web', host: 'testhost', directory: web.directory, condition: 'running' })
    expect(capsule.ended.map(({ service }) => service).sort()).toEqual(['app', 'db'])
    const [project] = capsule.projects
    expect(project).toMatchObject({ name: web.project, replicas: { app: 1, db: 1 }, stoppedServices: [], pausedServices: [] })
    expect(project?.images.every((image) => image.id.startsWith('sha256:'))).toBe(true)
    expect(project?.volumes).toMatchObject([{ key: 'vol', driver: 'local', path: volume }])
    expect(Object.keys((project?.model as { services: object }).services).sort()).toEqual(['app', 'db'])
  })
})

describe('stacks of odd kinds', () => {
  let world: World
  let call: Awaited<ReturnType<World['backup']>>
  let profiled: WorldStack
  let chosen: WorldStack
  let edited: WorldStack
  let moved: WorldStack
  let linked: WorldStack
  let paused: WorldStack
  let before: Record<'chosen' | 'edited' | 'moved', string>
  let tag: string

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
    tag = `${world.prefix}/moving:1`
    await importImage(tag)
    profiled = await world.stack('profiled', { services: { app: polite, extra: { ...polite, profiles: ['debug'] } }, isUp: false })
    await profiled.compose('--profile', 'debug', 'up', '-d')
    chosen = await world.stack('chosen', { services: { app: { ...polite, volumes: ['/unnamed'] }, tool: polite, never: polite }, isUp: false })
    await chosen.up('app', 'tool')
    await chosen.compose('stop', 'tool')
    await chosen.compose('exec', '-T', 'app', 'sh', '-c', 'echo precious > /unnamed/file')
    edited = await world.stack('edited', { services: { app: { ...polite, environment: { VERSION: '1' } } } })
    edited.write('compose.yaml', { name: edited.project, services: { app: { ...polite, environment: { VERSION: '2' } } } })
    moved = await world.stack('moved', { services: { app: { ...polite, image: tag } } })
    const oldImage = await docker('image', 'inspect', '--format', '{{.Id}}', tag)
    await importImage(tag, ['LABEL newer=yes'])
    expect(await docker('image', 'inspect', '--format', '{{.Id}}', tag)).not.toBe(oldImage)
    linked = await world.stack('elsewhere', { services: { app: polite }, parent: world.root, isEnabled: false, files: { 'data/blob': Buffer.alloc(50_000, 'x') } })
    symlinkSync(linked.directory, join(world.stacks, 'linked'))
    world.enable('linked')
    paused = await world.stack('paused', { services: { app: polite } })
    await paused.compose('pause')
    await world.stack('with blanks', { services: { app: polite }, isUp: false })
    await world.stack('a,b', { services: { app: polite }, isUp: false })
    before = { chosen: await imagesOf(chosen), edited: await imagesOf(edited), moved: await imagesOf(moved) }
    call = await world.backup()
  })
  afterAll(async () => {
    await world.remove()
    await docker('image', 'rm', tag)
  })

  it('are all backed up well', () => {
    expect(call.result.problems.filter((problem) => problem.severity === 'error')).toEqual([])
    expect(call.result.stacks.map(({ name, status }) => `${name} ${status}`)).toEqual(['profiled', 'chosen', 'edited', 'moved', 'linked', 'paused', 'with blanks', 'a,b'].map((name) => `${name} ok`))
    expect(call.exitCode).toBe(0)
  })

  it('defect 4: a running service of a profile is stopped and started with the others', async () => {
    expect(call.stack('profiled').servicesBefore).toEqual(['app', 'extra'])
    expect(call.stack('profiled').downtimeMs).toBeGreaterThan(0)
    expect(await profiled.running()).toEqual(['app', 'extra'])
  })

  it('defect 13: what the user had stopped stays stopped, and an anonymous volume keeps its content', async () => {
    expect(call.stack('chosen')).toMatchObject({ servicesBefore: ['app'], stopMode: 'stop', stopModeReason: expect.stringContaining('anonymous volume') as string })
    expect(await chosen.running()).toEqual(['app'])
    expect(await imagesOf(chosen)).toBe(before.chosen)
    expect(await chosen.compose('exec', '-T', 'app', 'cat', '/unnamed/file')).toBe('precious')
  })

  it('defect 34: an edit that was not applied yet is not applied by the backup', async () => {
    expect(call.stack('edited').stopModeReason).not.toBeNull()
    expect(await imagesOf(edited)).toBe(before.edited)
    expect(await edited.compose('exec', '-T', 'app', 'sh', '-c', 'echo $VERSION')).toBe('1')
  })

  it('defect 34: a tag that means another image by now is not followed by the backup', async () => {
    expect(call.stack('moved').downtimeMs).toBeGreaterThan(0)
    expect(await moved.running()).toEqual(['app'])
    expect(await imagesOf(moved)).toBe(before.moved)
  })

  it('defect 32: of a stack behind a symbolic link the files are saved, by their real path and the name of the link', async () => {
    expect(call.stack('linked')).toMatchObject({ directory: linked.directory, stateBefore: 'running', quiet: true })
    expect(call.stack('linked').snapshot?.bytesProcessed).toBeGreaterThanOrEqual(50_000)
    const files = await world.restic('ls', call.stack('linked').snapshot?.id ?? '')
    expect(files).toContain(`${linked.directory}/data/blob`)
    expect(await linked.running()).toEqual(['app'])
  })

  it('a paused service counts as running, and is paused again', async () => {
    expect(call.stack('paused')).toMatchObject({ stateBefore: 'running', servicesBefore: ['app'], quiet: true })
    expect(await docker('ps', '--filter', `label=com.docker.compose.project=${paused.project}`, '--format', '{{.State}}')).toBe('paused')
  })

  it('names with blanks and commas are found again by their names', async () => {
    for (const name of ['with blanks', 'a,b']) {
      const listed = await world.json<{ snapshots: { id: string; stack: string }[] }>(['snapshots', name])
      expect(listed.result.snapshots).toMatchObject([{ id: call.stack(name).snapshot?.id, stack: name }])
    }
  })
})

describe('a stack that does not come back', () => {
  let world: World
  let half: WorldStack
  let call: Awaited<ReturnType<World['backup']>>

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
    half = await world.stack('half', { services: { good: polite, once: { ...polite, volumes: ['./data:/data'], command: ['sh', '-c', 'test -e /data/ran && exit 1; touch /data/ran; trap "exit 0" TERM; sleep 1000000 & wait'] } } })
    await world.stack('after', { services: { app: polite } })
    expect(await half.running()).toEqual(['good', 'once'])
    call = await world.backup()
  })
  afterAll(() => world.remove())

  it('defect 5: one of two services back up is a failed stack', async () => {
    expect(await half.running()).toEqual(['good'])
    expect(call.stack('half')).toMatchObject({ status: 'failed', problems: [{ severity: 'error', code: 'not-up', message: expect.stringContaining('once') as string }] })
    expect(call.stack('half').snapshot).not.toBeNull()
  })

  it('does not keep the next one from its backup, and the run is a part of a success', () => {
    expect(call.stack('after')).toMatchObject({ status: 'ok', stateBefore: 'running' })
    expect(call.result.status).toBe('partial')
    expect(call.exitCode).toBe(3)
  })

  it('is not forgotten: the next run says that it waits, and fails while it cannot be started', async () => {
    expect(world.journal().map((entry) => entry.name)).toEqual(['half'])
    const again = await world.backup(['half'])
    expect(again.exitCode).toBe(1)
    expect(again.stack('half')).toMatchObject({ status: 'failed', snapshot: null, problems: [{ code: 'left-stopped' }] })
  })

  it('is brought back by resume once it can start', async () => {
    rmSync(join(half.directory, 'data', 'ran'))
    const resumed = await world.resume()
    expect(resumed.exitCode).toBe(0)
    expect(resumed.result.stacks).toEqual([{ name: 'half', servicesBefore: ['good', 'once'], action: 'started', status: 'ok' }])
    expect(await half.running()).toEqual(['good', 'once'])
    expect(world.journal()).toEqual([])
  })
})

describe('a dry run', () => {
  let world: World

  beforeAll(async () => {
    world = await makeWorld({ repository: 'absent' })
    await world.stack('web', { model: oneService })
  })
  afterAll(() => world.remove())

  it.each([
    ['after the command', ['backup', '--dry-run']],
    ['in its short form, with names and global flags around it', ['--json', 'backup', 'web', '-n', '--verbose']],
    ['of both stages', ['run', '--dry-run']],
  ])('defect 1: --dry-run %s changes nothing at all, not even with the repository still to be made', async (_, args) => {
    const before = world.picture(world.root)
    const watch = await world.watch()
    const { exitCode, stderr } = await world.run(args)
    expect(exitCode, stderr).toBe(0)
    expect(await watch.close()).toEqual([])
    expect(world.picture(world.root)).toBe(before)
  })

  it('says what it would do', async () => {
    const { result } = await world.backup(['--dry-run'])
    expect(result).toMatchObject({ dryRun: true, status: 'ok', stacks: [{ name: 'web', status: 'ok', stateBefore: 'running', servicesBefore: ['app'], stopMode: 'down', snapshot: null, downtimeMs: null, verification: 'skipped' }] })
  })

  it('of sync, restore and forget changes nothing either', async () => {
    const made = await world.backup()
    expect(made.exitCode).toBe(0)
    expect((await world.sync()).exitCode).toBe(0)
    const before = world.picture(world.root)
    const forgotten = await world.run(['snapshots', 'forget', made.stack('web').snapshot?.id ?? '', '--dry-run'])
    const synced = await world.sync('--dry-run')
    const restored = await world.restore('--dry-run', join(world.root, 'new'))
    expect([forgotten.exitCode, synced.exitCode, restored.exitCode]).toEqual([0, 0, 0])
    expect(world.picture(world.root)).toBe(before)
  })
})

/** Each container with its image, sorted. */
async function imagesOf(stack: WorldStack): Promise<string> {
  const ids = await docker('ps', '-aq', '--no-trunc', '--filter', `label=com.docker.compose.project=${stack.project}`)
  return (await docker('inspect', '--format', '{{.Id}} {{.Image}} {{.Config.Env}}', ...ids.split('\n'))).split('\n').sort().join('\n')
}

/** What backup programs like to lose. */
function makeOddFiles(folder: string): void {
  mkdirSync(join(folder, 'private'))
  writeFileSync(join(folder, 'private', 'blob'), Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256)))
  chmodSync(join(folder, 'private'), 0o711)
  chmodSync(join(folder, 'private', 'blob'), 0o4640)
  chownSync(join(folder, 'private', 'blob'), 1234, 4321)
  chownSync(join(folder, 'private'), 999, 999)
  writeFileSync(join(folder, 'a file, with [odd] *name*'), 'x')
  writeFileSync(join(folder, 'empty'), '')
  symlinkSync('private/blob', join(folder, 'link'))
}

/** Names, types, modes, owners, sizes, times, link targets and contents. */
function listing(folder: string): string {
  const facts = execFileSync('find', ['.', '-printf', '%p %y %m %U:%G %l %T@ ', '(', '-type', 'f', '-printf', '%s\n', '-o', '-printf', '\n', ')'], { cwd: folder, encoding: 'utf8' })
  const sums = execFileSync('find', ['.', '-type', 'f', '-exec', 'sha256sum', '{}', '+'], { cwd: folder, encoding: 'utf8' })
  return [...facts.split('\n').sort(), ...sums.split('\n').sort()].join('\n')
}
