import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { isAlive, keys, openTerminal, type PseudoTerminal } from '../fixtures/pseudo-terminal.js'
import { sampled } from '../fixtures/sampled.js'
import { makeSmallHost, type SmallHost } from '../fixtures/small-host.js'
import { until } from '../fixtures/until.js'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const before = '# mine\nweb=true\r\n+größe\nwhat is this\n'

let host: SmallHost

beforeEach(() => {
  host = makeSmallHost(['web', 'my shop', 'größe', 'db'], before)
})
afterEach(() => host.remove())

const dirlist = (size: { readonly columns?: number; readonly rows?: number } = {}, environment: Readonly<Record<string, string>> = {}): PseudoTerminal =>
  openTerminal(['dirlist', '--config', host.config], { environment: { ...host.environment, ...environment }, ...size })

describe('dirlist in a terminal', () => {
  it('ticks stacks on and off, found by typing, and edits the file without touching anything else of it', async () => {
    const terminal = dirlist()
    await terminal.sees('Back up which stacks?  2 of 4 ticked')
    await terminal.sees('Add a stack from elsewhere')
    terminal.types('shop')
    await terminal.sees('search: shop')
    terminal.types(keys.blank)
    await terminal.sees('[x] my shop')
    terminal.types(keys.ctrl('u'), 'web')
    await terminal.sees('search: web')
    terminal.types(keys.blank)
    await terminal.sees('[ ] web')
    terminal.types(keys.enter)
    expect(await terminal.ended, terminal.said()).toBe(0)
    expect(terminal.said()).toContain('on: my shop')
    expect(terminal.said()).toContain('off: web')
    expect(host.listed()).toBe('# mine\nweb=false\r\n+größe\nwhat is this\nmy shop=true\n')
  })

  it('ticks all and none, of a hundred, in 40 columns and 10 rows', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `stack ${String(index).padStart(2, '0')}`)
    for (const name of names) host.stack(name)
    const terminal = dirlist({ columns: 40, rows: 10 })
    await terminal.sees('2/104, 1-6/105')
    terminal.types('stack')
    await terminal.sees(/search: st/)
    terminal.types(keys.ctrl('a'))
    await terminal.sees('[x] stack 00')
    terminal.types(keys.ctrl('u'), '7', keys.ctrl('n'))
    await terminal.sees('[ ] stack 07')
    terminal.types(keys.escape)
    await until('the search is forgotten', () => !(terminal.said().split('Back up which').at(-1) ?? 'search').includes('search'))
    terminal.types(keys.end)
    await terminal.sees('Add a stack')
    terminal.types(keys.up, keys.enter)
    expect(await terminal.ended, terminal.said()).toBe(0)
    const on = host.listed().split('\n').filter((line) => line.startsWith('stack ') && line.endsWith('=true'))
    expect(on).toEqual(names.filter((name) => !name.includes('7')).map((name) => `${name}=true`))
  })

  it('keeps what another has changed meanwhile, and locks nothing while one thinks', async () => {
    const terminal = dirlist()
    await terminal.sees('Add a stack')
    execFileSync(process.execPath, [program, 'dirlist', 'enable', 'db', '--config', host.config], { env: { ...process.env, ...host.environment } })
    terminal.types('shop', keys.blank, keys.enter)
    expect(await terminal.ended, terminal.said()).toBe(0)
    expect(host.listed()).toBe(`${before}db=true\nmy shop=true\n`)
  })

  it('adds a stack from elsewhere by a path that is completed, and ticks it', async () => {
    const paper = host.stack('paper', join(host.root, 'elsewhere'))
    const terminal = dirlist()
    await terminal.sees('Add a stack')
    terminal.types(keys.end)
    await terminal.sees('then ticks it')
    terminal.types(keys.enter)
    await terminal.sees('Folder of the stack')
    terminal.types(keys.ctrl('u'), `${host.root}/none`, keys.enter)
    await terminal.sees('there is no stack at')
    terminal.types(keys.ctrl('w'), 'els', keys.tab, keys.tab)
    await terminal.sees('elsewhere/paper/')
    terminal.types(keys.enter)
    await terminal.sees('3 of 5 ticked')
    terminal.types(keys.enter)
    expect(await terminal.ended, terminal.said()).toBe(0)
    expect(host.listed()).toBe(`${before}${paper}=true\n`)
  })
})

describe('changes that are not saved', () => {
  const changed = async (): Promise<PseudoTerminal> => {
    const terminal = dirlist()
    await terminal.sees('Add a stack')
    terminal.types(keys.blank, keys.down, keys.blank)
    await terminal.sees('2 of 4 ticked')
    await until('both are ticked', () => /\[ \] größe/.test(terminal.said()))
    return terminal
  }

  it('are asked about when the list is left, and may be saved then', async () => {
    const terminal = await changed()
    terminal.types(keys.escape)
    await terminal.sees('2 changes are not saved')
    terminal.types(keys.enter)
    expect(await terminal.ended).toBe(0)
    expect(host.listed()).toBe('# mine\nweb=true\r\n-größe\nwhat is this\ndb=true\n')
  })

  it('may be gone on with, and discarded', async () => {
    const terminal = await changed()
    terminal.types(keys.ctrl('c'))
    await terminal.sees('2 changes are not saved')
    terminal.types(keys.escape)
    await terminal.sees('[ ] größe')
    terminal.types(keys.ctrl('d'))
    await terminal.sees('2 changes are not saved')
    terminal.types(keys.down, keys.enter)
    expect(await terminal.ended).toBe(130)
    expect(terminal.said()).toContain('nothing was changed')
    expect(host.listed()).toBe(before)
  })

  it.each([
    ['a second Ctrl-C', 130, async (terminal: PseudoTerminal): Promise<void> => {
      terminal.types(keys.ctrl('c'))
      await terminal.sees('not saved')
      terminal.types(keys.ctrl('c'))
    }],
    ['HUP', 129, async (terminal: PseudoTerminal): Promise<void> => terminal.signal('SIGHUP')],
    ['TERM', 143, async (terminal: PseudoTerminal): Promise<void> => terminal.signal('SIGTERM')],
  ] satisfies [string, number, (terminal: PseudoTerminal) => Promise<void>][])('are lost by %s, with %i', async (_way, code, leave) => {
    const terminal = await changed()
    await leave(terminal)
    expect(await terminal.ended, terminal.said()).toBe(code)
    expect(host.listed()).toBe(before)
  })

  it('are lost with the terminal', async () => {
    const terminal = await changed()
    terminal.hangUp()
    await until('it has ended', () => !isAlive(terminal.pid))
    expect(host.listed()).toBe(before)
  })

  it('are none where nothing was ticked otherwise: left at once, nothing written', async () => {
    const terminal = dirlist()
    await terminal.sees('esc leave')
    terminal.types(keys.blank, keys.blank, keys.escape)
    expect(await terminal.ended).toBe(130)
    expect(host.listed()).toBe(before)
  })
})

describe('dirlist asks nothing', () => {
  it.each(sampled(['--yes', '--json', '--quiet']))('with %s', async (flag) => {
    const terminal = openTerminal(['dirlist', flag, '--config', host.config], { environment: host.environment })
    expect(await terminal.ended).toBe(2)
    expect(host.listed()).toBe(before)
  })

  it('in a pipe', async () => {
    const call = promisify(execFile)(process.execPath, [program, 'dirlist', '--config', host.config], { env: { ...process.env, ...host.environment } })
    await expect(call).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('dirlist: missing subcommand') as string })
  })
})

it('in a dumb terminal stacks are switched by their numbers', async () => {
  writeFileSync(host.dirlist, 'web=true\n')
  const terminal = dirlist({}, { TERM: 'dumb' })
  await terminal.sees('an empty line is done; q leaves:')
  const number = /(\d+) {2}\[ \] db/.exec(terminal.said())?.[1] ?? ''
  terminal.types(`${number}\r`)
  await terminal.sees('[x] db')
  await terminal.sees('q leaves:')
  terminal.types('\r')
  expect(await terminal.ended, terminal.said()).toBe(0)
  expect(host.listed()).toBe('web=true\ndb=true\n')
})
