import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { testImage } from '../fixtures/busybox-image.js'
import { startSystemdMachine, type SystemdMachine } from '../fixtures/systemd-machine.js'
import { until } from '../fixtures/until.js'
import { makeWorld, slowToStop, type World, type WorldStack } from '../fixtures/world.js'

interface Installed {
  readonly kind: string
  readonly scope: string
  readonly at: string
  readonly nextRun: string | null
  readonly files: readonly { readonly file: string; readonly text: string }[]
  readonly replaced: readonly string[]
  readonly problems: readonly { readonly code: string }[]
}

interface Shown {
  readonly schedules: readonly { readonly kind: string; readonly at: string; readonly active: boolean; readonly nextRun: string | null }[]
  readonly nextRun: string | null
}

let world: World
let web: WorldStack
let machine: SystemdMachine
/** A folder whose name means something to systemd and to a shell, with a configuration in it and a stack that does not run. */
let odd: string
let oddConfig: string

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { ENABLE_VERIFICATION: false, AUTO_PRUNE: false }, cloud_sync: { RCLONE_REMOTE: null, RCLONE_PATH: null, RCLONE_CONFIG: null } } })
  odd = join(world.root, `o%d $dir "x" 'y'`)
  mkdirSync(odd)
  const elsewhere = join(world.root, 'elsewhere')
  mkdirSync(elsewhere)
  web = await world.stack('web', { services: { app: { ...slowToStop(1), volumes: ['./data:/data', `${elsewhere}:/elsewhere:ro`] } } })
  const other = await world.stack('my app', { isUp: false, isEnabled: false, parent: odd, services: { app: { image: testImage } } })
  oddConfig = join(odd, 'config.ini')
  writeFileSync(oddConfig, readFileSync(world.config, 'utf8'), { mode: 0o600 })
  writeFileSync(join(odd, 'dirlist'), `web=true\n${other.directory}=true\n`)
  const folder = join(world.root, 'machine')
  mkdirSync(folder)
  machine = await startSystemdMachine({ folder, shared: world.root })
})
afterAll(async () => {
  await machine.end()
  await world.remove()
})

const there = (): { through: readonly string[]; environment: Record<string, string | undefined> } => ({ through: machine.enter, environment: { RESTIC_CACHE_DIR: undefined } })
const install = (...args: string[]): Promise<{ exitCode: number; result: Installed; stderr: string }> => world.json<Installed>(['schedule', 'install', ...args], there())
const show = async (): Promise<Shown> => (await world.json<Shown>(['schedule', 'show'], there())).result
const systemctl = (...args: string[]): string => machine.run('systemctl', ...args).stdout.trim()
const property = (unit: string, name: string): string => systemctl('show', '--value', `--property=${name}`, unit)
const snapshots = async (): Promise<number> => (await world.snapshots()).length
const isInWindow = (): boolean => world.journal().length > 0

describe('schedule install --print', () => {
  it('writes nothing, and systemd finds nothing wrong in the units, whatever the paths are called', async () => {
    const before = world.picture(world.state, odd)
    for (const flags of [[], ['--user']]) {
      const { exitCode, result, stderr } = await world.json<Installed>(['schedule', 'install', '--print', ...flags], { config: oddConfig })
      expect(exitCode, JSON.stringify(result) + stderr).toBe(0)
      const folder = mkdtempSync(join(world.root, 'units-'))
      for (const { file, text } of result.files) writeFileSync(join(folder, basename(file)), text)
      const said = execFileSync('systemd-analyze', [...(flags.length === 0 ? [] : ['--user']), 'verify', ...result.files.map(({ file }) => join(folder, basename(file)))], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, SYSTEMD_LOG_LEVEL: 'warning', XDG_RUNTIME_DIR: world.temporary } })
      expect(said).toBe('')
      const boot = result.files.find(({ file }) => file.endsWith('/stackbk-resume.service'))?.text ?? ''
      expect(boot).toContain(`RequiresMountsFor=${world.stacks}\n`)
      expect(boot).toContain(`RequiresMountsFor=${join(world.root, 'elsewhere')}\n`)
      expect(boot).toContain('my app')
      expect(boot).toContain(`RequiresMountsFor=${world.repository}\n`)
    }
    expect(world.picture(world.state, odd)).toBe(before)
  })

  it('shows each unit under a comment line with its file name', async () => {
    const { exitCode, stdout } = await world.run(['schedule', 'install', '--print'])
    expect(exitCode).toBe(0)
    expect(stdout.split('\n').filter((line) => line.startsWith('# /'))).toEqual(['stackbk.service', 'stackbk.timer', 'stackbk-resume.service', 'stackbk-resume-without-disks.service'].map((name) => `# /etc/systemd/system/${name}`))
  })

  it.each([
    ['a time that is none, in the words of systemd', ['--at', 'soon'], /Failed to parse calendar specification/],
    ['a time that is over', ['--at', '2001-01-01'], /is never due again/],
    ['what cron does not know', ['--cron', '--at', '61 * * * *'], /is not a valid cron schedule/],
  ])('refuses %s: 2', async (_, flags, words) => {
    const { exitCode, stderr } = await world.run(['schedule', 'install', '--print', ...flags])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(words)
  })

  it('refuses a configuration that does not check: 2', async () => {
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: '/nonexistent' } })
    expect((await world.run(['schedule', 'install', '--print'])).exitCode).toBe(2)
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: world.password } })
  })
})

describe('where systemd runs the machine', () => {
  it('a timer is put in place, switched on, and known to show, status and doctor', async () => {
    expect((await show()).schedules).toEqual([])
    const { exitCode, result, stderr } = await install('--at', '*-*-* 03:15:00')
    expect(exitCode, JSON.stringify(result) + stderr).toBe(0)
    expect(result).toMatchObject({ kind: 'systemd', scope: 'system', at: '*-*-* 03:15:00', nextRun: expect.stringMatching(/T\d\d:15:00\.000Z$/) as string, replaced: [] })
    expect([systemctl('is-enabled', 'stackbk.timer'), systemctl('is-enabled', 'stackbk-resume.service'), systemctl('is-active', 'stackbk.timer')]).toEqual(['enabled', 'enabled', 'active'])
    expect(await show()).toMatchObject({ nextRun: result.nextRun, schedules: [{ kind: 'systemd', scope: 'system', at: '*-*-* 03:15:00', active: true, nextRun: result.nextRun }] })
    expect((await world.json<{ nextRun: string | null }>(['status'], there())).result.nextRun).toBe(result.nextRun)
    const { checks } = (await world.json<{ checks: { id: string; status: string; found: string }[] }>(['doctor'], there())).result
    expect(checks.find(({ id }) => id === 'schedule')).toMatchObject({ status: 'ok', found: expect.stringContaining(result.nextRun ?? '-') as string })
  })

  it('the same again changes nothing, and without a time keeps it', async () => {
    const before = machine.run('sh', '-c', 'cat /etc/systemd/system/stackbk*').stdout
    expect((await install()).result.at).toBe('*-*-* 03:15:00')
    expect(machine.run('sh', '-c', 'cat /etc/systemd/system/stackbk*').stdout).toBe(before)
    expect(systemctl('list-timers', '--all', '--no-legend', 'stackbk*').split('\n')).toHaveLength(1)
  })

  it('the service backs up, for all that is forbidden to it', async () => {
    const before = await snapshots()
    const started = machine.run('systemctl', 'start', 'stackbk.service')
    expect(started.exitCode, `${property('stackbk.service', 'ExecMainStatus')}: ${JSON.stringify(world.log().slice(-5))}`).toBe(0)
    expect([property('stackbk.service', 'Result'), await snapshots(), await web.running()]).toEqual(['success', before + 1, ['app']])
  })

  it('paths with blanks, quotes, dollar and percent signs reach stackbk as they are', async () => {
    writeFileSync(join(odd, 'dirlist'), 'web=true\n')
    expect((await world.json(['schedule', 'install'], { ...there(), config: oddConfig })).exitCode).toBe(0)
    const before = await snapshots()
    expect([machine.run('systemctl', 'start', 'stackbk.service').exitCode, property('stackbk.service', 'ExecMainStatus')], JSON.stringify(world.log().slice(-3))).toEqual([0, '0'])
    expect(await snapshots()).toBe(before + 1)
    expect((await world.json<{ nextRun: string | null }>(['status'], there())).result.nextRun).toBeNull()
    expect((await install()).exitCode).toBe(0)
  })

  it('another time is taken over, and no night is made up for at noon', async () => {
    const ran = property('stackbk.service', 'ExecMainStartTimestampMonotonic')
    const earlier = new Date(Date.now() - 60_000)
    const time = `*-*-* ${String(earlier.getHours()).padStart(2, '0')}:${String(earlier.getMinutes()).padStart(2, '0')}:00`
    // As if the last run had been yesterday: a timer that starts now would have one to make up for.
    machine.run('touch', '-d', '-20 hours', '/var/lib/systemd/timers/stamp-stackbk.timer')
    expect((await install('--at', time)).result.at).toBe(time)
    expect(Date.parse((await show()).nextRun ?? '')).toBeGreaterThan(Date.now() + 3_600_000)
    expect([property('stackbk.service', 'ActiveState'), property('stackbk.service', 'ExecMainStartTimestampMonotonic')]).toEqual(['inactive', ran])
  })

  it('a stop in the window leaves the stack running', async () => {
    machine.run('systemctl', 'start', '--no-block', 'stackbk.service')
    await until('the stack is in its window', isInWindow)
    expect(machine.run('systemctl', 'stop', 'stackbk.service').exitCode).toBe(0)
    expect([await web.running(), world.journal(), property('stackbk.service', 'ExecMainStatus')]).toEqual([['app'], [], '143'])
  })

  it('after a kill in the window the boot unit starts the stack at once', async () => {
    machine.run('systemctl', 'start', '--no-block', 'stackbk.service')
    await until('the stack is in its window', isInWindow)
    machine.run('systemctl', 'kill', '--signal=KILL', '--kill-whom=all', 'stackbk.service')
    await until('it is resumed', () => property('stackbk-resume.service', 'ExecMainExitTimestampMonotonic') !== '0' && !isInWindow())
    expect([await web.running(), property('stackbk-resume.service', 'ExecMainStatus')]).toEqual([['app'], '0'])
  })

  it('a disk that is missing at boot keeps no stack of another one down', async () => {
    const disk = join(world.root, 'disk')
    mkdirSync(disk)
    world.enable(join(disk, 'photos'))
    const { result } = await install()
    expect(result.files.find(({ file }) => file.endsWith('/stackbk-resume.service'))?.text).toContain(`RequiresMountsFor=${join(disk, 'photos')}\n`)
    const unit = execFileSync('systemd-escape', ['--path', '--suffix=mount', disk], { encoding: 'utf8' }).trim()
    const text = `[Mount]\nWhat=nothing\nWhere=${disk}\nType=nosuchfs\n`
    machine.run('sh', '-c', 'printf %s "$1" > "/etc/systemd/system/$2" && systemctl daemon-reload', 'sh', text, unit)
    machine.run('systemctl', 'start', 'stackbk-resume.service')
    await until('the other unit has run', () => property('stackbk-resume-without-disks.service', 'ExecMainExitTimestampMonotonic') !== '0')
    expect(property('stackbk-resume-without-disks.service', 'ExecMainStatus')).toBe('0')
    machine.run('sh', '-c', 'rm "/etc/systemd/system/$1" && systemctl daemon-reload', 'sh', unit)
    writeFileSync(world.dirlist, 'web=true\n')
  })

  it('a password that is a credential comes from the store of credentials', async () => {
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: 'credential:restic' } })
    expect((await install()).exitCode).toBe(2)
    machine.run('sh', '-c', 'mkdir -m 700 /etc/credstore && cp "$1" /etc/credstore/restic', 'sh', world.password)
    const { exitCode, result } = await install()
    expect([exitCode, result.files[0]?.text]).toEqual([0, expect.stringContaining('LoadCredential=restic:/etc/credstore/restic\n')])
    const before = await snapshots()
    expect([machine.run('systemctl', 'start', 'stackbk.service').exitCode, property('stackbk.service', 'Result'), property('stackbk.service', 'ExecMainStatus')]).toEqual([0, 'success', '0'])
    expect(await snapshots()).toBe(before + 1)
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: world.password } })
  })

  it('lines in the crontab take the place of the timer, and other lines of it stay', async () => {
    const own = 'MAILTO=""\n# mine\n5 4 * * * true 100%\n'
    machine.run('sh', '-c', 'printf %s "$1" | crontab -', 'sh', own)
    const { exitCode, result, stderr } = await install('--cron', '--at', 'Mon..Fri 04:20')
    expect(exitCode, JSON.stringify(result) + stderr).toBe(0)
    expect(result).toMatchObject({ kind: 'cron', scope: 'user', replaced: ['systemd'] })
    const { stdout } = machine.run('crontab', '-l')
    expect(stdout.startsWith(own)).toBe(true)
    expect(await show()).toMatchObject({ nextRun: result.nextRun, schedules: [{ kind: 'cron', at: '20 4 * * 1-5', active: true }] })
    expect((await install('--cron')).result.nextRun).toBe(result.nextRun)
    expect(machine.run('crontab', '-l').stdout.match(/begin stackbk/g)).toHaveLength(1)
    expect(machine.run('systemctl', 'cat', 'stackbk.timer').exitCode).not.toBe(0)
    // What cron would give to sh.
    const line = stdout.split('\n').find((candidate) => candidate.startsWith('20 4 * * 1-5 '))?.slice('20 4 * * 1-5 '.length).replaceAll('\\%', '%') ?? ''
    const before = await snapshots()
    expect(machine.run('env', '-i', `HOME=${join(world.root, 'home')}`, 'PATH=/usr/bin:/bin', 'sh', '-c', line)).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect(await snapshots()).toBe(before + 1)
  })

  it('remove leaves nothing of ours, and all that is not', async () => {
    expect((await install()).result).toMatchObject({ kind: 'systemd', replaced: ['cron'] })
    const { exitCode, result } = await world.json<{ removed: unknown[] }>(['schedule', 'remove'], there())
    expect([exitCode, result.removed]).toEqual([0, [{ kind: 'systemd', scope: 'system' }]])
    expect(machine.run('sh', '-c', 'find /etc/systemd /var/lib/systemd/timers -name "*stackbk*"').stdout).toBe('')
    expect(machine.run('crontab', '-l').stdout).toBe('MAILTO=""\n# mine\n5 4 * * * true 100%\n')
    expect((await world.json<{ removed: unknown[] }>(['schedule', 'remove'], there())).result.removed).toEqual([])
    expect((await world.json<{ nextRun: string | null }>(['status'], there())).result.nextRun).toBeNull()
  })
})
