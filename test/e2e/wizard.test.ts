import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { keys, openTerminal, type PseudoTerminal } from '../fixtures/pseudo-terminal.js'
import { makeSmallHost, type SmallHost } from '../fixtures/small-host.js'

let host: SmallHost

beforeAll(() => {
  host = makeSmallHost([])
  host.stack('web', join(host.root, 'home', 'stacks'))
})
afterAll(() => host.remove())

const wizard = (output: string, more: readonly string[] = []): PseudoTerminal =>
  openTerminal(['config', 'init', '--output', output, ...more], { environment: { ...host.environment, RCLONE_CONFIG: join(host.root, 'rclone.conf') }, cwd: host.root, columns: 120, rows: 40 })

/** From the first question to the one for the repository. */
async function chooseStacks(terminal: PseudoTerminal): Promise<void> {
  await terminal.sees('Where are the stacks?')
  await terminal.sees('esc leave')
  terminal.types(`${host.root}/home/stacks`)
  await terminal.sees('home/stacks')
  await terminal.sees('one stack')
  terminal.types(keys.enter)
  await terminal.sees('Folder for the snapshots')
}

describe('config init in a terminal', () => {
  it('finds folders, tools and remotes, writes what was chosen, tries it, and offers what comes next', async () => {
    const output = join(host.root, 'etc', 'config.ini')
    const repository = join(host.root, 'new-repository')
    const terminal = wizard(output)
    await terminal.sees(/tools: .*restic \d/)
    await chooseStacks(terminal)
    terminal.types(keys.ctrl('u'), `${host.root}/home/stacks/web`, keys.enter)
    await terminal.sees('it would be saved into itself')
    terminal.types(keys.ctrl('u'), repository, keys.enter)
    await terminal.sees('Which password opens the repository?')
    await terminal.sees('A new random one')
    terminal.types(keys.enter)
    await terminal.sees('Which remote is it copied to?')
    await terminal.sees('rclone knows it')
    terminal.types(keys.escape)
    await terminal.sees('Which password opens the repository?')
    terminal.types(keys.enter)
    await terminal.sees('Which remote is it copied to?')
    terminal.types('cloud')
    await terminal.sees('search: cloud')
    terminal.types(keys.enter)
    await terminal.sees('Path on cloud')
    terminal.types(keys.enter)
    await terminal.sees('Is that right?')
    expect(existsSync(join(host.root, 'etc'))).toBe(false)
    terminal.types(keys.enter)
    await terminal.sees(`written: ${output}`)
    await terminal.sees('config check --config')
    await terminal.sees(`${output} is valid`)
    await terminal.sees('rclone.connection')
    await terminal.sees('everything needed is in place')
    await terminal.sees('What comes next?')
    await terminal.sees('First backup')

    terminal.types(keys.enter)
    await terminal.sees('Which stacks are saved?')
    terminal.types(keys.blank, keys.enter)
    await terminal.sees('on: web')
    await terminal.sees('dirlist: exit 0')
    await terminal.sees('What comes next?')
    terminal.types('done', keys.enter)
    expect(await terminal.ended, terminal.said()).toBe(0)

    const text = readFileSync(output, 'utf8')
    expect(text).toContain(`DOCKER_STACKS_DIR=${join(host.root, 'home', 'stacks')}\n`)
    expect(text).toContain(`RESTIC_REPOSITORY=${repository}\n`)
    expect(text).toContain('RCLONE_REMOTE=cloud\nRCLONE_PATH=/backup/restic\n')
    expect(statSync(output).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(host.root, 'etc', 'repository-password'), 'utf8')).toMatch(/^[\w-]{40,}\n$/)
    expect(statSync(join(host.root, 'etc', 'repository-password')).mode & 0o777).toBe(0o600)
    expect(terminal.said()).not.toContain(readFileSync(join(host.root, 'etc', 'repository-password'), 'utf8').trim())
    expect(readFileSync(join(host.root, 'etc', 'dirlist'), 'utf8')).toBe('web=true\n')
  })

  it('asks before it replaces a configuration, and takes the password of a repository that is there', async () => {
    const folder = join(host.root, 'again')
    const output = join(folder, 'config.ini')
    mkdirSync(folder, { recursive: true })
    writeFileSync(output, '# mine\n', { mode: 0o600 })
    const refused = wizard(output)
    await refused.sees('Replace it?')
    refused.types('n')
    expect(await refused.ended).toBe(130)
    expect(readFileSync(output, 'utf8')).toBe('# mine\n')

    const terminal = wizard(output, ['--force'])
    await chooseStacks(terminal)
    terminal.types(keys.ctrl('u'), host.repository, keys.enter)
    await terminal.sees('the repository is there already')
    expect(terminal.said()).not.toContain('A new random one')
    terminal.types(keys.enter)
    await terminal.sees('File with the password alone')
    terminal.types(keys.ctrl('u'), join(host.root, 'password'), keys.enter)
    await terminal.sees('Which remote is it copied to?')
    terminal.types('no cloud', keys.enter)
    await terminal.sees('Is that right?')
    terminal.types(keys.enter)
    await terminal.sees(`the old one is kept: ${output}.old`)
    await terminal.sees('What comes next?')
    terminal.types(keys.escape)
    expect(await terminal.ended, terminal.said()).toBe(0)
    expect(readFileSync(output, 'utf8')).toContain(`RESTIC_PASSWORD_FILE=${join(host.root, 'password')}\n`)
  })

  it.each([
    ['Ctrl-C', keys.ctrl('c')],
    ['Ctrl-D', keys.ctrl('d')],
    ['Esc', keys.escape],
  ])('left by %s it has written nothing', async (_way, key) => {
    const output = join(host.root, 'none', 'config.ini')
    const terminal = wizard(output)
    await terminal.sees('Where are the stacks?')
    await terminal.sees('esc leave')
    terminal.types(key)
    expect(await terminal.ended, terminal.said()).toBe(130)
    expect(terminal.said()).toContain('nothing was changed')
    expect(existsSync(join(host.root, 'none'))).toBe(false)
  })

  it('asks nothing where a flag says something, or wants no question', async () => {
    for (const more of [['--repository', '/nowhere'], ['--yes']]) {
      const terminal = wizard(join(host.root, 'none', 'config.ini'), more)
      expect(await terminal.ended).toBe(2)
      expect(terminal.said()).toContain('Error:')
    }
    expect(existsSync(join(host.root, 'none'))).toBe(false)
  })
})
