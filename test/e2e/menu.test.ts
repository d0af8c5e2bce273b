import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { isAlive, keys, openTerminal, type PseudoTerminal, type TerminalRequest } from '../fixtures/pseudo-terminal.js'
import { sampled } from '../fixtures/sampled.js'
import { makeSmallHost, type SmallHost } from '../fixtures/small-host.js'
import { screenOf } from '../fixtures/terminal-screen.js'
import { until } from '../fixtures/until.js'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const execute = promisify(execFile)

let host: SmallHost

beforeAll(() => {
  host = makeSmallHost(['web', 'my shop', 'größe'], 'web=true\n')
})
afterAll(() => host.remove())

function menu(args: readonly string[] = ['--config', host.config], more: Partial<TerminalRequest> & { readonly environment?: Readonly<Record<string, string>> } = {}): PseudoTerminal {
  return openTerminal(args, { ...more, environment: { ...host.environment, ...more.environment } })
}
const title = 'What would you like to do?'

describe('stackbk alone in a terminal', () => {
  it('is a menu that says how the host stands, and is left by its last entry with 0', async () => {
    const terminal = menu()
    await terminal.sees(`stackbk on testhost, ${host.config}`)
    await terminal.sees('1 of 3 stacks enabled | no backup yet | no sync yet')
    await terminal.sees('overdue: web (never backed up)')
    await terminal.sees(title)
    await terminal.sees('Backup')
    await terminal.sees('= stackbk backup')
    terminal.types('quit')
    await terminal.sees(/search: quit[^]*Quit/)
    terminal.types(keys.enter)
    expect(await terminal.ended).toBe(0)
    expect(existsSync(join(host.root, 'state'))).toBe(false)
  })

  it('(27) hands --config and the other global flags to what it starts, comes back, and says how that ended', async () => {
    const terminal = menu(['-c', host.config, '-v'])
    await terminal.sees(title)
    terminal.types('config check')
    await terminal.sees('= stackbk config check')
    terminal.types(keys.enter)
    await terminal.sees(`$ stackbk config check -c ${host.config} -v`)
    await terminal.sees(`${host.config} is valid`)
    await terminal.sees('config check: exit 0')
    await terminal.sees(title)
    terminal.types('stackbk history')
    await terminal.sees('= stackbk history')
    terminal.types(keys.enter)
    await terminal.sees('history: exit 0')
    await terminal.sees(title)
    terminal.types(keys.escape)
    expect(await terminal.ended).toBe(130)
  })

  it('(27) asks before it starts what stops, replaces or removes something, and Enter alone is no', async () => {
    const terminal = menu()
    for (const [search, question] of [['stackbk backup', 'Back up now?'], ['stackbk sync', 'Sync now?'], ['stackbk restore', 'Restore the repository'], ['stackbk drill', 'Start a drill now?']] as const) {
      await terminal.sees(title)
      terminal.types(search)
      await terminal.sees(`= ${search}`)
      terminal.types(keys.enter)
      await terminal.sees(question)
      await terminal.sees('y or n')
      terminal.types(keys.enter)
    }
    await terminal.sees(title)
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
    expect(terminal.said()).not.toContain('$ stackbk')
    expect(existsSync(join(host.root, 'state'))).toBe(false)
  })

  it('leaves the result of a command on a screen of 24 rows until a key is pressed', async () => {
    const terminal = menu()
    await terminal.sees(title)
    terminal.types('config show')
    await terminal.sees('= stackbk config show')
    terminal.types(keys.enter)
    await terminal.sees('config show: exit 0')
    await terminal.sees('any key shows the list')
    const size = { columns: 80, rows: 24 }
    const shown = (await screenOf(terminal.raw(), size)).slice(-24)
    // The end of the command's output, how it ended, and two rows of the menu.
    expect(shown.slice(-5)).toEqual(['', 'config show: exit 0', '', title, 'any key shows the list · esc leave'])
    expect(shown.filter((row) => /^(?:cloud_sync|docker|local_backup|general|\S+) /.test(row)).length).toBeGreaterThan(10)
    terminal.types(keys.enter)
    await terminal.sees('❯ Show configuration')
    expect((await screenOf(terminal.raw(), size)).filter((row) => row === 'any key shows the list · esc leave')).toEqual([])
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
  })

  it('says that there is no schedule instead of that nothing is overdue', async () => {
    const terminal = menu()
    await terminal.sees('overdue: web (never backed up)')
    await terminal.sees('no schedule')
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
    expect(terminal.said()).not.toContain('nothing is overdue')
  })

  it('begins with setting up where there is no configuration', async () => {
    const file = join(host.root, 'none.ini')
    const terminal = menu(['--config', file])
    await terminal.sees(`there is no configuration ${file} yet`)
    await terminal.sees('Set up')
    await terminal.sees('= stackbk config init')
    terminal.types(keys.ctrl('d'))
    expect(await terminal.ended).toBe(130)
    expect(terminal.said()).toContain('Health')
    expect(terminal.said()).not.toContain('Recover stack')
  })

  it('shows a configuration that is wrong, and still opens', async () => {
    const file = join(host.root, 'wrong.ini')
    writeFileSync(file, '[local_backup]\nKEEP_DAILY=often\n', { mode: 0o600 })
    const terminal = menu(['--config', file])
    await terminal.sees('KEEP_DAILY')
    await terminal.sees(title)
    terminal.types('config check', keys.enter)
    await terminal.sees('config check: exit 2')
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
  })
})

describe('a menu is left', () => {
  const press = (key: string) => (terminal: PseudoTerminal): void => terminal.types(key)
  const send = (name: NodeJS.Signals) => (terminal: PseudoTerminal): void => terminal.signal(name)
  it.each([
    { way: 'Ctrl-C', code: 130, leave: press(keys.ctrl('c')), TERM: 'xterm' },
    { way: 'Ctrl-D', code: 130, leave: press(keys.ctrl('d')), TERM: 'xterm' },
    { way: 'Esc', code: 130, leave: press(keys.escape), TERM: 'xterm' },
    { way: 'TERM', code: 143, leave: send('SIGTERM'), TERM: 'xterm' },
    { way: 'HUP', code: 129, leave: send('SIGHUP'), TERM: 'xterm' },
    { way: 'Ctrl-C in a dumb terminal', code: 130, leave: press(keys.ctrl('c')), TERM: 'dumb' },
    { way: 'Ctrl-D in a dumb terminal', code: 130, leave: press(keys.ctrl('d')), TERM: 'dumb' },
  ])('by $way with $code, in good order', async ({ code, leave, TERM }) => {
    const terminal = menu(undefined, { environment: { TERM } })
    await terminal.sees(title)
    await terminal.sees(TERM === 'dumb' ? 'q leaves:' : 'esc leave')
    leave(terminal)
    expect(await terminal.ended, terminal.said()).toBe(code)
    expect(terminal.said()).not.toMatch(/Error|at .*\.js:\d/)
    // The cursor is seen again.
    if (TERM === 'xterm') expect(terminal.raw().lastIndexOf('\u001b[?25h')).toBeGreaterThan(terminal.raw().lastIndexOf('\u001b[?25l'))
  })

  it('by a terminal that is closed', async () => {
    const terminal = menu()
    await terminal.sees('esc leave')
    terminal.hangUp()
    await until('the menu has ended', () => !isAlive(terminal.pid))
    expect(existsSync(join(host.root, 'state'))).toBe(false)
  })
})

describe('while a command runs that the menu has started', () => {
  /** The real one, but for the list of snapshots, which never comes. */
  const underway = async (): Promise<PseudoTerminal> => {
    const bin = join(host.root, 'bin')
    mkdirSync(bin, { recursive: true })
    const real = execFileSync('sh', ['-c', 'command -v restic'], { encoding: 'utf8' }).trim()
    writeFileSync(join(bin, 'restic'), `#!/bin/sh\ncase "$*" in *snapshots*) : > '${bin}/asked'; exec sleep 1000;; esac\nexec ${real} "$@"\n`, { mode: 0o755 })
    const terminal = menu(undefined, { environment: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } })
    await terminal.sees(title)
    terminal.types('snapshots and size', keys.enter)
    await until('restic is asked', () => existsSync(join(bin, 'asked')))
    rmSync(join(bin, 'asked'))
    return terminal
  }

  it('Ctrl-C is for the command alone', async () => {
    const terminal = await underway()
    terminal.types(keys.ctrl('c'))
    await terminal.sees('snapshots: exit 130')
    await terminal.sees(title)
    terminal.types('quit', keys.enter)
    expect(await terminal.ended).toBe(0)
  })

  it('TERM is for the menu too', async () => {
    const terminal = await underway()
    terminal.signal('SIGTERM')
    expect(await terminal.ended).toBe(143)
  })

  it('a terminal that is closed ends both', async () => {
    const terminal = await underway()
    terminal.hangUp()
    await until('the menu has ended', () => !isAlive(terminal.pid))
    expect(execFileSync('sh', ['-c', `ps -eo args | grep -c "[r]estic.*${host.root}" || true`], { encoding: 'utf8' }).trim()).toBe('0')
  })
})

describe('no menu', () => {
  it.each(sampled([['--quiet', '--config', '/none'], ['-q'], ['--yes']]).map((args) => [args]))('is shown for %j, even in a terminal: the help is', async (args) => {
    const terminal = menu(args)
    expect(await terminal.ended).toBe(0)
    expect(terminal.said()).toContain('USAGE')
    expect(terminal.said()).not.toContain(title)
  })

  it('is shown in a pipe, and nothing is waited for', async () => {
    const { stdout } = await execute(process.execPath, [program, '--config', host.config], { env: { ...process.env, ...host.environment } })
    expect(stdout).toContain('USAGE')
    await expect(execute(process.execPath, [program, 'menu'], { env: { ...process.env, ...host.environment } })).rejects.toMatchObject({ code: 2 })
  })
})

describe('snapshots are chosen from lists', () => {
  it('some are forgotten, after a confirmation', async () => {
    const [older, newer] = [host.snapshot('web'), host.snapshot('web')]
    const terminal = menu()
    await terminal.sees(title)
    terminal.types('prune')
    await terminal.sees('= stackbk snapshots forget')
    terminal.types(keys.enter)
    await terminal.sees('Which snapshots do you want to forget?')
    await terminal.sees(newer.slice(0, 8))
    terminal.types(older.slice(0, 8))
    await terminal.sees('search: ')
    terminal.types(keys.blank)
    await terminal.sees('[x]')
    terminal.types(keys.enter)
    await terminal.sees('Free their space at once?')
    await terminal.sees('--prune')
    terminal.types('y')
    await terminal.sees(`Forget ${older.slice(0, 8)}`)
    await terminal.sees('or --yes')
    terminal.types('y')
    await terminal.sees(`forgot ${older.slice(0, 8)}`)
    await terminal.sees('snapshots forget: exit 0')
    await terminal.sees(title)
    expect(host.snapshots()).toEqual([newer])
    terminal.types(keys.enter)
    await terminal.sees('type to search')
    terminal.types(keys.enter)
    await terminal.sees('Which snapshots')
    terminal.types(keys.ctrl('c'))
    await terminal.sees('snapshots forget: exit 130')
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
    expect(host.snapshots()).toEqual([newer])
  })

  it('a stack and its snapshot are recovered, Esc going a step back', async () => {
    writeFileSync(join(host.stacks, 'web', 'data'), 'old')
    const old = host.snapshot('web')
    writeFileSync(join(host.stacks, 'web', 'data'), 'new')
    host.snapshot('web')
    const target = join(host.root, 'extracted')
    mkdirSync(target)
    const terminal = menu(['recover', '--target', target, '--config', host.config])
    await terminal.sees('Which stack do you want to recover?')
    await terminal.sees('All stacks')
    terminal.types(keys.enter)
    await terminal.sees('Which snapshot of web?')
    terminal.types(keys.escape)
    await terminal.sees('Which stack do you want to recover?')
    terminal.types(keys.enter)
    await terminal.sees('The latest good one')
    terminal.types(old.slice(0, 8))
    await terminal.sees(`search: ${old.slice(0, 8)}`)
    terminal.types(keys.enter)
    expect(await terminal.ended, terminal.said()).toBe(0)
    expect(execFileSync('find', [target, '-name', 'data', '-exec', 'cat', '{}', ';'], { encoding: 'utf8' })).toBe('old')
  })

})

describe('nothing is asked where a flag wants no question', () => {
  const each = [['recover', '--json'], ['snapshots', 'forget', '--yes'], ['kit', 'write', '/nowhere/kit.age', '--quiet'], ['recover', '--yes'], ['recover', '--quiet'], ['snapshots', 'forget', '--json'], ['kit', 'write', '/nowhere/kit.age', '--yes']]
  it.each(sampled(each, 3).map((args) => ({ args })))('$args is wrong then', async ({ args }) => {
    const terminal = menu([...args, '--config', host.config])
    expect(await terminal.ended).toBe(2)
  })
})

describe('in other terminals', () => {
  it('without colour, and with ASCII alone, the menu is the same', async () => {
    const terminal = menu(undefined, { columns: 72, environment: { NO_COLOR: '1', LC_ALL: 'C' } })
    await terminal.sees('> Backup')
    await terminal.sees('esc leave')
    expect(terminal.raw()).not.toMatch(/\[\d+m/)
    expect(terminal.said().replaceAll(/[\r\n]/g, '')).toMatch(/^[\x20-\x7e]*$/)
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
  })

  it('a dumb one gets numbers to choose from', async () => {
    const terminal = menu(undefined, { environment: { TERM: 'dumb' } })
    await terminal.sees('q leaves:')
    const number = /(\d+) {2}Check configuration/.exec(terminal.said())?.[1] ?? ''
    terminal.types(`${number}\r`)
    await terminal.sees('config check: exit 0')
    await terminal.sees('q leaves:')
    terminal.types('q\r')
    expect(await terminal.ended).toBe(130)
    expect(terminal.raw()).not.toContain('\u001b')
  })

  it('tmux shows it whole in 40 columns and 12 rows, and after the window has changed its size', async () => {
    const socket = join(host.root, 'tmux')
    const tmux = (...args: string[]): string => execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8', env: { ...process.env, ...host.environment, LC_ALL: 'C.UTF-8', TERM: 'xterm' } })
    const screen = (): string[] => tmux('capture-pane', '-p').trimEnd().split('\n')
    tmux('-f', '/dev/null', 'new-session', '-d', '-x', '40', '-y', '12', `'${process.execPath}' '${program}' --config '${host.config}'; echo "ended with $?"; cat`)
    try {
      await until('the menu is there', () => screen().some((row) => row.includes(title)))
      for (let step = 0; step < 9; step++) tmux('send-keys', 'Down')
      await until('it has scrolled', () => screen().some((row) => row === '❯ Test repository'))
      expect(screen().filter((row) => row.startsWith('❯'))).toHaveLength(1)
      expect(screen().filter((row) => row.startsWith(title))).toHaveLength(1)
      expect(screen().length).toBeLessThanOrEqual(12)
      tmux('resize-window', '-x', '80', '-y', '24')
      await until('it is painted anew', () => screen().some((row) => /❯ Test repository +check it for errors/.test(row)))
      await until('once', () => screen().filter((row) => row.includes(title)).length === 1)
      tmux('send-keys', 'C-c')
      await until('it has ended', () => screen().some((row) => row === 'ended with 130'))
      expect(screen().filter((row) => row.includes(title))).toEqual([])
    } finally {
      tmux('kill-server')
    }
  })
})
