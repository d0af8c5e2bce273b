import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

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
  await terminal.sees('Folder for the repository')
}

describe('config init in a terminal', () => {
  it('finds folders, tools and remotes, writes what was chosen, tries it, and offers what comes next', async () => {
    const output = join(host.root, 'etc', 'config.ini')
    const repository = join(host.root, 'new-repository')
    const terminal = wizard(output)
    await terminal.sees(/tools: .*restic \d/)
    await chooseStacks(terminal)
    terminal.types(keys.ctrl('u'), `${host.root}/home/stacks/web`, keys.enter)
    await terminal.sees('it would be backed up into itself')
    terminal.types(keys.ctrl('u'), repository, keys.enter)
    await terminal.sees('Which password opens the repository?')
    await terminal.sees('A new random one')
    terminal.types(keys.enter)
    await terminal.sees('Which remote should it be copied to?')
    await terminal.sees('rclone remote')
    terminal.types(keys.escape)
    await terminal.sees('Which password opens the repository?')
    terminal.types(keys.enter)
    await terminal.sees('Which remote should it be copied to?')
    terminal.types('cloud')
    await terminal.sees('search: cloud')
    terminal.types(keys.enter)
    await terminal.sees('Path on cloud')
    terminal.types(keys.enter)
    await terminal.sees('Write this configuration?')
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
    await terminal.sees('Back up which stacks?')
    terminal.types(keys.blank, keys.enter)
    await terminal.sees('on: web')
    await terminal.sees('dirlist: exit 0')
    await terminal.sees('What comes next?')
    await terminal.sees('any key shows the list')
    terminal.types(keys.enter)
    await terminal.sees('❯ Preview backup')
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

  it('breaks what it says between words, in a narrow terminal', async () => {
    const terminal = openTerminal(['config', 'init', '--output', join(host.root, 'narrow.ini')], { environment: host.environment, cwd: host.root, columns: 50, rows: 24 })
    await terminal.sees('Where are the stacks?')
    await terminal.sees('esc leave')
    const told = terminal.said().split('Where are the stacks?')[0]?.split(/\r?\n/) ?? []
    expect(told.map((line) => stripVTControlCharacters(line)).filter((line) => line.length > 50)).toEqual([])
    expect(told.join('\n')).toMatch(/rclone\s+\d+\.\d+\.\d+\s/)
    terminal.types(keys.escape)
    expect(await terminal.ended).toBe(130)
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
    await terminal.sees('the repository exists already')
    expect(terminal.said()).not.toContain('A new random one')
    terminal.types(keys.enter)
    await terminal.sees('File that holds only the password')
    terminal.types(keys.ctrl('u'), join(host.root, 'password'), keys.enter)
    await terminal.sees('Which remote should it be copied to?')
    terminal.types('no cloud', keys.enter)
    await terminal.sees('Write this configuration?')
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

  it('says how remotes are made if there is none, and refuses a name that rclone does not know at once', async () => {
    const rcloneConfig = join(host.root, 'new-rclone.conf')
    writeFileSync(rcloneConfig, '', { mode: 0o600 })
    const output = join(host.root, 'remotes', 'config.ini')
    const terminal = openTerminal(['config', 'init', '--output', output], { environment: { ...host.environment, RCLONE_CONFIG: rcloneConfig }, cwd: host.root, columns: 120, rows: 40 })
    await chooseStacks(terminal)
    terminal.types(keys.ctrl('u'), join(host.root, 'third-repository'), keys.enter)
    await terminal.sees('A new random one')
    terminal.types(keys.enter)
    await terminal.sees('There is no rclone remote yet.')
    await terminal.sees('Remotes are made with: rclone config')
    await terminal.sees('esc leave')
    terminal.types('another', keys.enter)
    await terminal.sees('Name of the remote')
    terminal.types('clodu', keys.enter)
    await terminal.sees('there is no rclone remote named clodu. Remotes are made with: rclone config')
    // As somebody does in another terminal.
    writeFileSync(rcloneConfig, '[cloud]\ntype = local\n')
    terminal.types(keys.enter)
    await terminal.sees('there is no rclone remote named clodu. Did you mean cloud?')
    terminal.types(keys.ctrl('u'), 'cloud', keys.enter)
    await terminal.sees('Path on cloud')
    terminal.types(keys.ctrl('c'))
    expect(await terminal.ended).toBe(130)
    expect(existsSync(output)).toBe(false)
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
