import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'

import type { StackReport } from '../../src/stages/backup/backup-result.js'
import type { StatusResult } from '../../src/stages/status.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand } from '../fixtures/compose-stack.js'
import { makeWorld, until, type World, type WorldStack } from '../fixtures/world.js'

let world: World
let web: WorldStack
let volumes: string
const managers = new Set<string>()

beforeAll(async () => {
  world = await makeWorld({ settings: { docker: { WARM_PASS: false, STOP_MODE: 'stop' }, local_backup: { LOCK_TIMEOUT: 1, ENABLE_VERIFICATION: false, KEEP_WITHIN: 0, KEEP_LAST: 1, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 } } })
  web = await world.stack('web', { model: { services: { app: { image: testImage, command: politeCommand, network_mode: 'none', volumes: ['./data:/data', 'vol:/vol'] } }, volumes: { vol: {} } }, files: { 'data/file': randomBytes(64 << 20) } })
  await world.stack('other', { services: { app: { image: testImage, command: politeCommand, network_mode: 'none' } }, isEnabled: false, isUp: false })
  volumes = join((await docker('info', '--format', '{{.DockerRootDir}}')).trim(), 'volumes')
  await docker('exec', `${web.project}-app-1`, 'sh', '-c', 'echo 1 > /vol/one')
})
afterAll(async () => {
  if (managers.size > 0) await docker('rm', '-f', ...managers)
  await world.remove()
})

/** A container of no stack that has a folder of the host mounted at the same path, and does something there again and again. */
async function manager(name: string, { folder = world.stacks, does = ':', options = [] }: { readonly folder?: string; readonly does?: string; readonly options?: readonly string[] } = {}): Promise<string> {
  const container = `${world.prefix}-${name}`
  managers.add(container)
  await docker('run', '-d', '--name', container, '--network', 'none', ...options, '-v', `${folder}:${folder}`, testImage, 'sh', '-c', `trap 'exit 0' TERM; while :; do ${does}; sleep 0.02; done`)
  onTestFinished(async () => {
    await docker('rm', '-f', container)
    managers.delete(container)
  })
  return container
}

const write = (): string => `echo x >> ${web.directory}/data/file`
const tagsOf = async (id: string | undefined): Promise<readonly string[] | undefined> => (await world.snapshots()).find((one) => one.id === id)?.tags
const ofWeb = async (): Promise<string[]> => (await world.snapshots()).filter(({ tags }) => tags.includes('stack:web')).map(({ id, tags }) => [id, ...tags.slice(2)].join(' '))

/** Backs the stack up. Its large file is read whole each time, so whoever writes has many turns meanwhile. */
async function backUp(): Promise<{ readonly exitCode: number; readonly report: StackReport }> {
  utimesSync(join(web.directory, 'data/file'), new Date(), new Date())
  const call = await world.backup(['web'])
  expect(await web.running()).toEqual(['app'])
  return { exitCode: call.exitCode, report: call.stack('web') }
}

it('a manager that has the whole stacks folder, reads there and writes elsewhere, makes no snapshot live', async () => {
  const dockge = await manager('dockge', { does: `head -c 1 ${web.directory}/data/file > ${world.stacks}/other/written` })
  const dryRun = await world.backup(['web', '--dry-run'])
  expect([dryRun.exitCode, dryRun.stack('web').possibleWriters]).toEqual([0, [dockge]])
  expect(dryRun.stack('web').problems).toMatchObject([{ severity: 'warning', code: 'possible-writer', message: expect.stringContaining(dockge) as string, fix: expect.stringContaining('IGNORE_WRITERS') as string }])
  const { exitCode, report } = await backUp()
  expect([exitCode, report]).toMatchObject([0, { status: 'ok', quiet: true, possibleWriters: [dockge], problems: [] }])
  expect(await tagsOf(report.snapshot?.id)).toEqual(['stackbk', 'stack:web'])
})

it('one that writes to the stack while it is read makes it live, again and again: all is named, nothing grows, what is at rest stays', async () => {
  const good = await ofWeb()
  expect(good).toHaveLength(1)
  const dockge = await manager('dockge', { does: write() })
  for (let night = 0; night < 2; night++) {
    const { exitCode, report } = await backUp()
    expect([exitCode, report]).toMatchObject([3, { status: 'partial', quiet: false }])
    expect(report.problems).toMatchObject([{ severity: 'error', code: 'not-quiet', fix: expect.stringMatching(/IGNORE_WRITERS.*stackbk\.ignore-writer=true/) as string }])
    expect(report.problems[0]?.message).toContain(`${web.directory}/data/file`)
    expect(report.problems[0]?.message).toContain(dockge)
    expect(await ofWeb()).toEqual([...good, `${report.snapshot?.id} live`])
  }
  const status = await world.json<StatusResult>(['status'])
  expect(status.result.stacks.find(({ name }) => name === 'web')).toMatchObject({ overdue: false, newestSnapshot: { marks: ['live'] } })
  expect(status.result.problems).toContainEqual(expect.objectContaining({ severity: 'warning', code: 'newest-marked', stack: 'web' }))
})

it('one that has the folder of all volumes, and renames a file of this volume as a synchroniser does, makes it live', async () => {
  const folder = join(volumes, `${web.project}_vol`, '_data')
  const syncthing = await manager('syncthing', { folder: volumes, does: `mv ${folder}/one ${folder}/two; mv ${folder}/two ${folder}/one` })
  const { exitCode, report } = await backUp()
  expect([exitCode, report.quiet, report.possibleWriters]).toEqual([3, false, [syncthing]])
  expect(report.problems[0]?.message).toMatch(/_vol\/_data\/(one|two)/)
})

it('one that is ignored, by a pattern of its name, by its image or by its label, makes nothing live', async () => {
  const files = await manager('files-1', { does: write() })
  for (const settings of [{ docker: { IGNORE_WRITERS: `nothing, ${testImage.replace(/:.*/, '')}` } }, { docker: { IGNORE_WRITERS: null }, 'stack:web': { IGNORE_WRITERS: files.replace(/1$/, '?') } }]) {
    world.configure(settings)
    expect(await backUp()).toMatchObject({ exitCode: 0, report: { status: 'ok', quiet: true, possibleWriters: [] } })
  }
  await manager('labelled', { does: write(), options: ['--label', 'stackbk.ignore-writer=true'] })
  expect(await backUp()).toMatchObject({ exitCode: 0, report: { status: 'ok', quiet: true, possibleWriters: [] } })
  world.configure({ 'stack:web': { IGNORE_WRITERS: null } })
})

it('a mark that another restic kept from being made counts, and is made by the next run', async () => {
  const dockge = await manager('dockge', { does: write() })
  const locks = (): string[] => readdirSync(join(world.repository, 'locks'))
  // It waits for the rest of its input, and keeps its lock until then.
  const client = spawn('restic', ['-r', world.repository, '--password-file', world.password, '--no-cache', 'backup', '--tag', 'by-hand', '--stdin'], { stdio: ['pipe', 'ignore', 'ignore'] })
  onTestFinished(() => {
    client.kill('SIGKILL')
    for (const lock of locks()) rmSync(join(world.repository, 'locks', lock))
  })
  client.stdin.write('x')
  await until('the other restic has its lock', () => locks().length > 0)
  const { exitCode, report } = await backUp()
  expect([exitCode, report.problems.map(({ severity, code }) => `${severity} ${code}`)]).toEqual([3, ['error not-quiet', 'warning not-marked']])
  const id = report.snapshot?.id ?? ''
  expect(await tagsOf(id)).toEqual(['stackbk', 'stack:web'])

  const status = (await world.json<StatusResult>(['status'])).result.stacks.find(({ name }) => name === 'web')
  expect([status?.newestSnapshot, status?.lastSnapshot?.id === id]).toMatchObject([{ id, marks: ['live'] }, false])
  await docker('stop', '-t', '5', dockge)
  const recovery = await world.json<{ problems: { code: string }[]; stacks: { snapshotId: string }[] }>(['recover', 'web', '--dry-run'])
  expect([recovery.result.stacks[0]?.snapshotId === id, recovery.result.stacks[0]?.snapshotId === status?.lastSnapshot?.id]).toEqual([false, true])
  expect(recovery.result.problems).toContainEqual(expect.objectContaining({ code: 'newer-marked' }))

  client.stdin.end()
  await once(client, 'exit')
  await until('its lock is gone', () => locks().length === 0)
  expect((await world.backup(['web', '--no-prune'])).exitCode).toBe(0)
  const left = await ofWeb()
  expect(left.some((one) => one.startsWith(id))).toBe(false)
  expect(left.slice(-2).map((one) => one.split(' ').slice(1))).toEqual([['live'], []])
})
