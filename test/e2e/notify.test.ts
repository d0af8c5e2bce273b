import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { StackbkEvent } from '@stackbk/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import type { NotifyTestResult } from '../../src/stages/notify-test.js'
import { type Receivers, startReceivers, type WebArrival } from '../fixtures/receivers.js'
import { heldFromStopping, makeWorld, oneService, says, type World, type WorldStack } from '../fixtures/world.js'

const deadEngine = { environment: { DOCKER_HOST: 'unix:///nonexistent.sock' } }

let world: World
let web: WorldStack
let receivers: Receivers
let prom: string

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  receivers = await startReceivers((argv) => world.beside(argv))
  web = await world.stack('web', { model: oneService })
  await world.stack('blog', { model: oneService })
  prom = join(world.root, 'stackbk.prom')
  writeFileSync(join(world.root, 'mail-password'), 'right\n', { mode: 0o600 })
  const address = `http://127.0.0.1:${receivers.http}`
  world.configure({
    'notify:hook': { TYPE: 'webhook', URL: `${address}/hook/{secret}`, SECRET_FILE: join(world.root, 'mail-password'), HEADERS: 'X-Host: nas', ON: 'always' },
    'notify:mail': { TYPE: 'email', URL: `smtp://ann@127.0.0.1:${receivers.smtp}`, SECRET_FILE: join(world.root, 'mail-password'), FROM: 'stackbk <stackbk@example.org>', TO: 'ann@example.org, bob@example.org', ON: 'failure' },
    'notify:check': { TYPE: 'ping', URL: `${address}/ping/uuid`, ON: 'failure' },
    'notify:figures': { TYPE: 'textfile', FILE: prom },
    'notify:script': { TYPE: 'command', COMMAND: `sh -c 'env | grep ^STACKBK_ > "$1"; cat > "$2"' sh ${join(world.root, 'variables')} ${join(world.root, 'event')}`, ON: 'warning' },
  })
})
afterAll(async () => {
  receivers?.end()
  await world?.remove()
})
beforeEach(() => {
  receivers.forget()
  for (const file of ['variables', 'event']) rmSync(join(world.root, file), { force: true })
})

const eventIn = ({ body }: WebArrival): StackbkEvent & { result: BackupResult } => JSON.parse(body) as StackbkEvent & { result: BackupResult }
const digests = (): (StackbkEvent & { result: BackupResult })[] => receivers.web('/hook/').map(eventIn)
const pings = (): string[] => receivers.web('/ping/').map(({ url }) => url)
const figures = (): Map<string, number> => new Map(readFileSync(prom, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line): [string, number] => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
const variables = (): Record<string, string> => Object.fromEntries(readFileSync(join(world.root, 'variables'), 'utf8').split('\n').filter((line) => line.includes('=')).map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
const records = (): string[] => (existsSync(join(world.state, 'runs')) ? readdirSync(join(world.state, 'runs')) : [])

describe('of a backup', () => {
  it('that is ok everybody hears who wants to, field by field, and the file has its figures', async () => {
    const call = await world.backup()
    const { exitCode, result } = call
    expect([exitCode, result.problems]).toEqual([0, []])

    const [arrival] = receivers.web('/hook/')
    expect(receivers.web('/hook/')).toHaveLength(1)
    expect(arrival).toMatchObject({ method: 'POST', url: '/hook/right', headers: { 'content-type': 'application/json; charset=utf-8', 'x-host': 'nas' } })
    const { log, at, ...event } = eventIn(arrival!)
    expect(event).toEqual({ schemaVersion: 1, event: 'run-finished', runId: result.runId, command: 'backup', dryRun: false, host: 'testhost', exitCode: 0, result })
    expect(log).toContain('info: backing up')
    expect(at >= result.finishedAt).toBe(true)

    expect(pings()).toEqual(['/ping/uuid/start', '/ping/uuid'])
    expect(receivers.web('/ping/')[0]!.at).toBeLessThan(arrival!.at)
    expect(receivers.web('/ping/')[1]!.body).toMatch(/^stackbk backup on testhost: ok\nweb: ok \(down /)
    // Neither a failure nor a warning.
    expect(receivers.mail()).toEqual([])
    expect(existsSync(join(world.root, 'event'))).toBe(false)

    const at1 = (name: string, stackName: string): number | undefined => figures().get(`stackbk_${name}{stack="${stackName}",stage="backup"}`)
    const finished = Math.round(Date.parse(result.finishedAt) / 1000)
    for (const name of ['web', 'blog']) {
      const report = call.stack(name)
      expect({
        status: at1('status', name), last: at1('last_run_timestamp_seconds', name), good: at1('last_success_timestamp_seconds', name),
        duration: at1('duration_seconds', name), downtime: at1('downtime_seconds', name), ready: at1('ready_seconds', name), added: at1('added_bytes', name), processed: at1('processed_bytes', name),
      }).toEqual({
        status: 0, last: finished, good: finished,
        duration: report.durationMs / 1000, downtime: report.downtimeMs! / 1000, ready: report.readyMs! / 1000, added: report.snapshot!.bytesAdded, processed: report.snapshot!.bytesProcessed,
      })
    }
    expect([at1('status', ''), at1('exit_code', ''), at1('duration_seconds', '')]).toEqual([0, 0, result.durationMs / 1000])
    expect(readFileSync(prom, 'utf8').split('\n').every((line) => line === '' || line.startsWith('# ') || line.startsWith('stackbk_'))).toBe(true)
    expect(records()).toEqual([])
  })

  it('of one stack the file keeps the figures of the others', async () => {
    const before = figures()
    expect((await world.backup(['web'])).exitCode).toBe(0)
    const after = figures()
    const ofBlog = (all: Map<string, number>): [string, number][] => [...all].filter(([name]) => name.includes('stack="blog"'))
    expect(ofBlog(after)).toEqual(ofBlog(before))
    expect(ofBlog(after).length).toBeGreaterThan(5)
    expect(after.get('stackbk_last_run_timestamp_seconds{stack="web",stage="backup"}')).toBeGreaterThan(before.get('stackbk_last_run_timestamp_seconds{stack="web",stage="backup"}')!)
  })

  it('that is partial is a failure to all, and says of which stack', async () => {
    const compose = web.read('compose.yaml')
    // Without containers to ask, only the file could say what the stack's data is.
    await web.compose('down')
    web.write('compose.yaml', 'services: [')
    try {
      const { exitCode, result } = await world.backup()
      expect([exitCode, result.status]).toEqual([3, 'partial'])
      expect(digests()).toMatchObject([{ exitCode: 3, result }])
      expect(pings()).toEqual(['/ping/uuid/start', '/ping/uuid/fail'])
      const [mail] = receivers.mail()
      expect(mail).toMatchObject({ from: 'stackbk@example.org', to: ['ann@example.org', 'bob@example.org'], user: 'ann' })
      expect(mail!.body).toContain('Subject: stackbk backup on testhost: partial (web)')
      expect(mail!.body).toContain('The end of the log:')
      const context = variables()
      expect(context).toMatchObject({ STACKBK_COMMAND: 'backup', STACKBK_STATUS: 'partial', STACKBK_EXIT_CODE: '3', STACKBK_HOST: 'testhost', STACKBK_FAILED_STACKS: 'web', STACKBK_RUN_ID: result.runId, STACKBK_STARTED_AT: result.startedAt })
      expect(JSON.parse(readFileSync(join(world.root, 'event'), 'utf8'))).toMatchObject({ event: 'run-finished', result })
      expect(figures().get('stackbk_status{stack="web",stage="backup"}')).toBe(1)
      expect(figures().get('stackbk_status{stack="blog",stage="backup"}')).toBe(0)
    } finally {
      web.write('compose.yaml', compose)
      await web.up()
    }
  })
})

describe('of a night in which nothing could begin', () => {
  it('because the engine is down all hear, with the end of the log', async () => {
    const good = figures().get('stackbk_last_success_timestamp_seconds{stack="",stage="backup"}')
    const { exitCode } = await world.json(['backup'], deadEngine)
    expect(exitCode).toBe(4)
    expect(digests()).toMatchObject([{ exitCode: 4, result: { status: 'failed', problems: [{ severity: 'error', code: 'tool-not-answering' }] } }])
    expect(pings()).toEqual(['/ping/uuid/start', '/ping/uuid/fail'])
    expect(receivers.web('/ping/uuid/fail')[0]!.body).toMatch(/failed\nerror: .*\n[^]*The end of the log:\n/)
    expect(receivers.mail()).toHaveLength(1)
    expect(figures().get('stackbk_exit_code{stack="",stage="backup"}')).toBe(4)
    expect(figures().get('stackbk_last_success_timestamp_seconds{stack="",stage="backup"}')).toBe(good)
    expect(records()).toEqual([])
  })

  it('because the configuration is wrong those hear whose sections are right', async () => {
    const config = readFileSync(world.config, 'utf8')
    writeFileSync(world.config, config.replace('[local_backup]', '[local_backup]\nMAX_AGE=soon').replace('TYPE=ping', 'TYPE=pong'))
    try {
      const { exitCode, stdout } = await world.run(['run', '--json'])
      expect([exitCode, stdout]).toEqual([2, expect.stringContaining("there is no TYPE 'pong' for [notify:check]")])
      expect(stdout).toMatch(/config\.ini:\d+: there is no TYPE/)
      expect(stdout).toContain('Did you mean ping?')
      expect(digests()).toMatchObject([{ command: 'run', exitCode: 2, result: { status: 'failed', problems: [{ message: expect.stringContaining('MAX_AGE must be a time') as string }] } }])
      expect(receivers.mail()).toHaveLength(1)
      expect(pings()).toEqual([])
      expect(figures().get('stackbk_exit_code{stack="",stage="run"}')).toBe(2)
    } finally {
      writeFileSync(world.config, config)
    }
    receivers.forget()
    expect((await world.run(['backup', '--bogus'])).exitCode).toBe(2)
    expect(digests()).toMatchObject([{ command: 'backup', exitCode: 2 }])
  })

  it('and nobody hears of a dry run, of a look, or of a try', async () => {
    expect((await world.run(['backup', '--dry-run'])).exitCode).toBe(0)
    expect((await world.run(['backup', '-n', '--bogus'])).exitCode).toBe(2)
    expect((await world.run(['status'])).exitCode).toBe(3)
    await world.run(['sync', '--test'])
    expect([receivers.web(), receivers.mail()]).toEqual([[], []])
  })
})

describe('of a run that was killed', () => {
  it('the next one tells, once, and what became of its stacks', async () => {
    // It is held from stopping until the run is killed, however long the refused one takes.
    const slow = await world.stack('slow', { services: { app: { ...heldFromStopping(), stop_grace_period: '100s' } } })
    const underway = await world.startUntil(['backup', 'slow'], says('stopping', 'slow'))
    const busy = await world.run(['backup'], { mayBeBusy: true })
    expect(busy.exitCode).toBe(75)
    expect(underway.isOver()).toBe(false)
    underway.signal('SIGKILL')
    await underway.ended
    slow.write('data/go', '')
    const killed = world.log().findLast(({ message }) => message === 'stopping')!.runId
    expect(records()).toEqual([`${killed}.json`])
    // The one that was refused meanwhile.
    expect(digests().map(({ exitCode, runId }) => [exitCode, runId === killed])).toEqual([[75, false]])
    receivers.forget()

    const { exitCode, result } = await world.resume()
    expect([exitCode, result.stacks]).toMatchObject([0, [{ name: 'slow', status: 'ok' }]])
    expect(await slow.running()).toEqual(['app'])
    const [ofKilled, ofResume, ...more] = digests()
    expect(ofKilled).toMatchObject({ command: 'backup', runId: killed, exitCode: 137, result: { command: 'backup', runId: killed, status: 'failed', problems: [{ code: 'killed', message: expect.stringContaining('up again now: slow') as string }] }, log: expect.stringContaining('stopping') as string })
    expect([ofResume?.command, ofResume?.exitCode, more]).toEqual(['resume', 0, []])
    // What is no backup says nothing to a check of backups: it must not turn green by it.
    expect(pings()).toEqual(['/ping/uuid/fail'])
    expect(receivers.mail()).toHaveLength(1)
    expect(receivers.mail()[0]!.body).toContain('Subject: stackbk backup on testhost: failed')
    expect(figures().get('stackbk_exit_code{stack="",stage="backup"}')).toBe(137)
    expect((await world.json<{ runs: { runId: string; exitCode: number }[] }>(['history'])).result.runs).toContainEqual(expect.objectContaining({ runId: killed, exitCode: 137 }))
    expect(records()).toEqual([])

    receivers.forget()
    expect((await world.resume()).exitCode).toBe(0)
    expect(digests()).toMatchObject([{ command: 'resume', exitCode: 0 }])
    world.disable('slow')
  })
})

describe('somebody who cannot be told', () => {
  it('is a warning and no exit code, and hears of a failure from the next run', async () => {
    const config = readFileSync(world.config, 'utf8')
    const without = config.replace('/hook/{secret}', '/gone/{secret}').replace('/ping/uuid', '/away/uuid')
    writeFileSync(world.config, without)
    const call = await world.json<{ error: { code: string } }>(['backup', 'web'], deadEngine)
    expect(call.exitCode).toBe(4)
    expect(call.stderr).toMatch(/warning: notification to \[notify:hook\] failed: the webhook at 127\.0\.0\.1:\d+ answers with 404: no: \/gone\/\*{8}/)
    expect(call.stderr).not.toContain('right')
    expect(records()).toHaveLength(1)
    receivers.forget()
    writeFileSync(world.config, config)
    const { exitCode, result } = await world.backup(['web'])
    expect([exitCode, result.problems]).toEqual([0, []])
    expect(digests().map(({ exitCode: code }) => code)).toEqual([4, 0])
    expect(pings()).toEqual(['/ping/uuid/fail', '/ping/uuid/start', '/ping/uuid'])
    // The receiver of the failure also gets the message that it is over.
    expect(receivers.mail().map(({ body }) => /^Subject: (.*)$/m.exec(body)?.[1])).toEqual(['stackbk backup on testhost: ok again'])
    expect(records()).toEqual([])

    writeFileSync(world.config, without)
    const after = await world.backup(['web'])
    expect([after.exitCode, after.result.status, after.result.problems.map(({ severity, code }) => `${severity} ${code}`)]).toEqual([0, 'ok', ['warning not-told', 'warning not-told']])
    // Good news of yesterday are none.
    expect(records()).toEqual([])
    writeFileSync(world.config, config)
  })

  it('is found by notify test and by doctor, who send nothing that counts', async () => {
    const before = figures()
    const all = await world.json<NotifyTestResult>(['notify', 'test'])
    expect([all.exitCode, all.result.status, all.result.notifications.map(({ name, status }) => `${name} ${status}`)]).toEqual([0, 'ok', ['hook ok', 'mail ok', 'check ok', 'figures ok', 'script ok']])
    expect(digests()).toMatchObject([{ isTest: true, command: 'notify test' }])
    expect(pings()).toEqual(['/ping/uuid/log'])
    expect(receivers.mail()[0]!.body).toContain('Subject: stackbk notify test on testhost: a test')
    expect([...figures()].filter(([name]) => !name.includes('notify_test'))).toEqual([...before])
    receivers.forget()
    expect((await world.json<NotifyTestResult>(['notify', 'test', 'mail'])).result.notifications).toMatchObject([{ name: 'mail', type: 'email', status: 'ok' }])
    expect([receivers.web(), receivers.mail().length]).toEqual([[], 1])
    const unknown = await world.json<{ error: { code: string; fix: string } }>(['notify', 'test', 'mial'])
    expect([unknown.exitCode, unknown.result.error.code, unknown.result.error.fix]).toEqual([2, 'unknown-notification', 'Did you mean mail?'])
    receivers.forget()

    writeFileSync(join(world.root, 'mail-password'), 'wrong\n')
    try {
      const failed = await world.json<NotifyTestResult>(['notify', 'test', 'mail'])
      expect([failed.exitCode, failed.result.problems]).toMatchObject([1, [{ severity: 'error', code: 'not-told', message: expect.stringContaining('does not take the user and the password') as string }]])
      const { result } = await world.json<{ checks: { id: string; status: string }[] }>(['doctor'])
      expect(result.checks.filter(({ id }) => id.startsWith('notify.')).map(({ id, status }) => `${id} ${status}`)).toEqual(['notify.hook ok', 'notify.mail failed', 'notify.check ok', 'notify.figures ok', 'notify.script ok'])
      expect([receivers.web(), receivers.mail()]).toEqual([[], []])
    } finally {
      writeFileSync(join(world.root, 'mail-password'), 'right\n')
    }
  })

  it('no address shows, in the configuration, a log or a record', async () => {
    const { stdout } = await world.run(['config', 'show'])
    expect(stdout).toContain('[notify:hook]')
    expect(stdout).not.toMatch(/hook\/|ping\/|X-Host/)
    expect(readFileSync(join(world.state, 'stackbk.log'), 'utf8')).not.toMatch(/hook\/right|ping\/uuid/)
  })
})
