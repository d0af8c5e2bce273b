import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import type { StatusResult } from '../../src/stages/status.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand, quickHealthcheck } from '../fixtures/compose-stack.js'
import { openTerminal } from '../fixtures/pseudo-terminal.js'
import { freePort } from '../fixtures/remotes.js'
import { screenOf } from '../fixtures/terminal-screen.js'
import { makeWorld, oneService, until, type World, type WorldStack } from '../fixtures/world.js'

/** Every file below a folder, to the byte, the inode and the moment of its last change. */
function picture(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    [folder, ...names].map((path) => {
      const { ino, mode, uid, gid, ctimeMs, size } = lstatSync(path)
      const content = lstatSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
      return [path, [ino, mode, uid, gid, ctimeMs, size, content].join(' ')]
    }),
  )
}

describe('a drill', () => {
  let world: World
  let web: WorldStack
  let plain: WorldStack
  let outside: string
  const volume = (): string => `${world.prefix}-fixed`
  /** What there is of any drill of this world: other tests have drills and scratch containers too. */
  const scratch = async (): Promise<string[]> => {
    const own = new Set(world.log().map(({ runId }) => `stackbk-drill-${runId.toLowerCase()}`))
    const lists = await Promise.all([['ps', '-a'], ['network', 'ls'], ['volume', 'ls']].map((list) => docker(...list, '--filter', 'label=stackbk.scratch', '--format', '{{.Label "stackbk.scratch"}}')))
    return lists.flatMap((list) => list.split('\n').filter((label) => own.has(label)))
  }
  /** Everything of production that a drill could touch. */
  async function production(): Promise<object> {
    const mountpoint = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', volume())
    return {
      containers: [await web.containers(), await plain.containers()],
      networks: await docker('network', 'ls', '--no-trunc', '-q', '--filter', `name=${world.prefix}`),
      volumes: await docker('volume', 'ls', '-q', '--filter', `name=${world.prefix}`),
      files: [picture(web.directory), picture(plain.directory), picture(outside), picture(mountpoint)],
    }
  }
  const drill = (...args: string[]) => world.json<DrillResult>(['drill', ...args])

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false, INCLUDE_BINDS: 'writable', IGNORE_MOUNTS: '/var/run/docker.sock' }, docker: { HEALTH_TIMEOUT: 30 } } })
    outside = join(world.root, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), 'outside the folder')
    const port = await freePort()
    const model = {
      services: {
        // Writes to all that it has, at its start and on and on.
        db: {
          image: testImage,
          container_name: `${world.prefix}-db`,
          command: ['sh', '-c', "trap 'exit 0' TERM; test -f /data/seed && touch /tmp/ready; n=0; while :; do n=$$((n+1)); echo $$n > /volume/counter; echo $$n > /outside/counter; echo $$n > /data/counter; sleep 1; done"],
          healthcheck: quickHealthcheck(),
          ports: [`127.0.0.1:${port}:80`],
          volumes: ['./data:/data', 'fixed:/volume', `${outside}:/outside`],
          networks: ['inner'],
        },
        app: { image: testImage, command: politeCommand, depends_on: { db: { condition: 'service_healthy' } }, networks: ['inner'], restart: 'always' },
        docker: { image: testImage, command: politeCommand, network_mode: 'none', volumes: ['/var/run/docker.sock:/var/run/docker.sock'] },
        host: { image: testImage, command: politeCommand, network_mode: 'host' },
      },
      networks: { inner: { name: `${world.prefix}-inner` } },
      volumes: { fixed: { name: volume() } },
    }
    web = await world.stack('web', { model, files: { 'data/seed': 'seed' } })
    plain = await world.stack('plain', { model: oneService })
    plain.write('data/file', 'plain')
    const backup = await world.backup()
    expect(backup.exitCode, JSON.stringify(backup.result.problems)).toBe(0)
    expect((await world.sync()).exitCode).toBe(0)
    // From now on nothing of production writes: every change is the drill's.
    await web.compose('stop', 'db')
  })
  afterEach(async () => {
    expect(world.processes()).toEqual([])
  })
  afterAll(() => world.remove())

  it('paints one list in a terminal, of which one row remains for each stack, and keeps the last drill of the others', async () => {
    expect((await drill('--local')).exitCode).toBe(0)
    const terminal = openTerminal(['drill', 'plain', '--local', '--wait=2m', '--config', world.config], { environment: { HOME: world.root, STACKBK_STATE_DIR: world.state } })
    const exitCode = await terminal.ended
    const lines = await screenOf(terminal.raw(), { columns: 80, rows: 24 })
    expect([exitCode, lines.filter((line) => /^\S+ (?:plain|web)\b/.test(line))], lines.join('\n')).toEqual([0, ['✔ plain  ok']])
    expect(lines.filter((line) => line.startsWith('plain '))).toEqual([expect.stringMatching(/^plain +ok +[0-9a-f]{8} .* none +\d+ match$/)])
    expect(lines.filter((line) => /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/.test(line))).toEqual([])

    const { result } = await world.json<StatusResult>(['status'])
    expect(result.lastDrill?.stacks.map(({ name }) => name)).toEqual(['plain'])
    expect(result.drills?.map(({ name, status }) => [name, status])).toEqual([['plain', 'ok'], ['web', 'ok']])
    const status = openTerminal(['status', '--config', world.config], { environment: { HOME: world.root, STACKBK_STATE_DIR: world.state } })
    await status.ended
    const shown = await screenOf(status.raw(), { columns: 80, rows: 24 })
    expect(shown.filter((line) => /^last drill {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d from /.test(line)), shown.join('\n')).toHaveLength(1)
    expect(shown.join('\n')).not.toMatch(/\dT\d\d:/)
  })

  it('brings every stack back from the copy beside production, of which nothing changes, and leaves nothing', async () => {
    const before = await production()
    const { exitCode, result, stderr } = await drill()
    expect(exitCode, `${stderr} ${JSON.stringify(result.problems)}`).toBe(0)
    expect(result).toMatchObject({ status: 'ok', source: 'cloud:/backup', kept: null })
    expect(result.stacks).toMatchObject([
      { name: 'web', status: 'ok', healthy: true, probe: 'skipped', mismatches: 0 },
      { name: 'plain', status: 'ok', healthy: true, probe: 'skipped', mismatches: 0 },
    ])
    for (const stack of result.stacks) {
      expect(stack.filesCompared).toBeGreaterThan(0)
      expect(stack.recoveryMs).toBeGreaterThan(0)
      expect(stack.dataAgeMs).toBeGreaterThan(0)
    }
    const named = result.problems.filter(({ code }) => code === 'not-rehearsed').map(({ message }) => message).join('\n')
    expect(named).toMatch(/host/)
    expect(named).toMatch(/docker/)
    expect(await production()).toEqual(before)
    expect(await scratch()).toEqual([])
    expect(readdirSync(join(world.state, 'drills'))).toEqual([])
    expect(readdirSync(join(world.state, 'cache')).filter((name) => name.startsWith('stackbk-drill'))).toEqual([])
    const status = (await world.json<StatusResult>(['status'])).result
    expect(status.lastDrill).toMatchObject({ status: 'ok', source: 'cloud:/backup', stacks: [{ name: 'web' }, { name: 'plain' }] })
  })

  it.each([
    ['test -f /data/file', 0, 'ok'],
    ["app: sh -c 'echo no row in the table; exit 3'", 6, 'failed'],
  ])('runs the probe %s in the rehearsed stack', async (PROBE, code, probe) => {
    world.configure({ 'stack:plain': { PROBE } })
    const { exitCode, result } = await drill('plain', '--local')
    world.configure({ 'stack:plain': { PROBE: null } })
    expect(result.stacks).toMatchObject([{ name: 'plain', probe, status: probe }])
    expect(exitCode).toBe(code === 0 ? 0 : 6)
    if (code === 6) expect(JSON.stringify(result.problems)).toContain('no row in the table')
  })

  it.each([
    ['an unknown stack', 2, ['plian']],
    ['no copy', 10, ['plain']],
  ])('answers before anything is made: %s', async (what, code, args) => {
    if (what === 'no copy') world.configure({ cloud_sync: { RCLONE_PATH: '/elsewhere' } })
    const { exitCode, stderr } = await world.run(['drill', ...args])
    world.configure({ cloud_sync: { RCLONE_PATH: '/backup' } })
    expect(exitCode, stderr).toBe(code)
    if (code === 2) expect(stderr).toContain("Did you mean 'plain'?")
    expect(await scratch()).toEqual([])
    expect(readdirSync(join(world.state, 'drills'))).toEqual([])
  })

  it('fails (6) where the stack does not become healthy from its snapshot', async () => {
    const lacking = { image: testImage, command: politeCommand, network_mode: 'none', volumes: ['./data:/data'], healthcheck: { test: ['CMD', 'test', '-f', '/data/ready'], interval: '300ms', timeout: '5s', retries: 3 } }
    const broken = await world.stack('broken', { services: { app: lacking }, files: { 'data/ready': '', 'data/file': 'x' } })
    world.configure({ docker: { HEALTH_TIMEOUT: 5 }, 'stack:broken': { EXCLUDE: 'ready' } })
    expect((await world.backup(['broken'])).exitCode).toBe(0)
    const { exitCode, result } = await drill('broken', '--local')
    world.configure({ docker: { HEALTH_TIMEOUT: 30 } })
    world.disable('broken')
    await broken.compose('down')
    expect(exitCode).toBe(6)
    expect(result.stacks).toMatchObject([{ name: 'broken', healthy: false, recoveryMs: null, status: 'failed' }])
    expect(result.problems).toContainEqual(expect.objectContaining({ severity: 'error', stack: 'broken' }))
    expect(await scratch()).toEqual([])
  })

  it('ends with 3 where one stack cannot be drilled and another one needs a third, and drills the rest', async () => {
    const shared = `${world.prefix}-shared`
    await docker('network', 'create', shared)
    const other = await docker('run', '-d', '--network', shared, '--network-alias', 'other-db', testImage, 'sh', '-c', "trap 'exit 0' TERM; nc -ll -p 5432 -e /bin/cat & while :; do sleep 0.2; done")
    const asking = { image: testImage, command: politeCommand, networks: ['shared'], volumes: ['./data:/data'], healthcheck: { test: ['CMD-SHELL', 'nc -w 2 other-db 5432 </dev/null'], interval: '300ms', timeout: '5s', retries: 3 } }
    const needy = await world.stack('needy', { model: { services: { app: asking }, networks: { shared: { name: shared, external: true } } }, files: { 'data/file': 'x' } })
    try {
      world.configure({ docker: { HEALTH_TIMEOUT: 5 } })
      await until('it is healthy with the other one', async () => (await docker('ps', '-q', '--filter', `network=${shared}`, '--filter', 'health=healthy')) !== '')
      expect((await world.backup(['needy'])).exitCode).toBe(0)
      const { exitCode, result } = await drill('needy', 'plian', 'plain', '--local')
      expect(Object.fromEntries(result.stacks.map(({ name, status }) => [name, status])), JSON.stringify(result.problems)).toEqual({ needy: 'partial', plian: 'failed', plain: 'ok' })
      expect([exitCode, result.status]).toEqual([3, 'partial'])
      const errors = result.problems.filter(({ severity }) => severity === 'error')
      expect(errors.map(({ stack, code }) => `${stack} ${code}`).sort()).toEqual(['needy needs-other-stack', 'plian unknown-stack'])
      expect(errors.find(({ stack }) => stack === 'needy')?.message).toContain('other-db')
      expect(await scratch()).toEqual([])
    } finally {
      world.configure({ docker: { HEALTH_TIMEOUT: 30 } })
      world.disable('needy')
      await needy.compose('down')
      await docker('rm', '-f', other)
      await docker('network', 'rm', shared)
    }
  })

  it('kept with --keep until the next one', async () => {
    const { result } = await drill('plain', '--local', '--keep')
    const kept = result.kept
    expect(kept).not.toBeNull()
    expect((await scratch()).length).toBeGreaterThan(0)
    expect(existsSync(kept?.folder ?? '')).toBe(true)
    expect((await world.resume()).exitCode).toBe(0)
    expect((await scratch()).length).toBeGreaterThan(0)
    expect((await drill('plain', '--local')).exitCode).toBe(0)
    expect(await scratch()).toEqual([])
    expect(existsSync(kept?.folder ?? '')).toBe(false)
  })

  it.each(['SIGKILL', 'SIGINT'] as const)('of one that %s ends with its containers running nothing is left', async (signal) => {
    const before = await production()
    const underway = world.start(['drill', 'web'])
    await until('its containers run', async () => (await scratch()).length > 0 || underway.isOver())
    expect(underway.isOver(), underway.said()).toBe(false)
    underway.signal(signal)
    const { exitCode } = await underway.ended
    expect(exitCode).toBe(signal === 'SIGKILL' ? 137 : 130)
    if (signal === 'SIGKILL') expect((await world.run(['resume'])).exitCode).toBe(0)
    expect(await scratch()).toEqual([])
    expect(readdirSync(join(world.state, 'cache')).filter((name) => name.startsWith('stackbk-drill'))).toEqual([])
    expect(await production()).toEqual(before)
  })
})
