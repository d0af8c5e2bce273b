import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KitCheckResult, KitWriteResult } from '../../src/stages/kit.js'
import type { StatusResult } from '../../src/stages/status.js'
import { typedScript } from '../fixtures/typed-script.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

const passphrase = 'correct horse battery staple'

describe('the disaster kit', () => {
  let world: World
  let written: { readonly exitCode: number; readonly result: KitWriteResult; readonly stderr: string }
  const at = (name: string): string => join(world.root, name)
  const kitCalls = (call: 'write' | 'check', kit: string, passphraseFile = at('passphrase')): readonly string[] => ['kit', call, kit, '--passphrase-file', passphraseFile]
  const leftBehind = (): string[] => [tmpdir(), '/dev/shm', world.temporary].flatMap((folder) => readdirSync(folder).filter((name) => name.startsWith('stackbk-kit-')))

  beforeAll(async () => {
    world = await makeWorld()
    const web = await world.stack('web', { model: oneService, isUp: false })
    web.write('data/file', 'what is to come back')
    writeFileSync(at('passphrase'), `${passphrase}\n`)
    writeFileSync(at('key'), 'a private key\n', { mode: 0o600 })
    writeFileSync(at('rclone.conf'), `${readFileSync(at('rclone.conf'), 'utf8')}\n[elsewhere]\ntype = sftp\nhost = 127.0.0.1\nport = 1\nkey_file = ${at('key')}\n`)
    expect((await world.backup(['web'])).exitCode).toBe(0)
    expect((await world.sync()).exitCode).toBe(0)
    written = await world.json<KitWriteResult>(kitCalls('write', at('kit.age')))
  })
  afterAll(() => world.remove())

  it('is written with its page, both for their owner alone, and brings the repository back by itself', async () => {
    expect(written.exitCode, written.stderr).toBe(0)
    expect(written.result).toMatchObject({ status: 'ok', file: at('kit.age'), page: at('kit.age.txt'), holds: ['README.txt', 'config.ini', 'dirlist', 'key', 'kit.json', 'password', 'rclone.conf'], problems: [] })
    expect([statSync(at('kit.age')).mode & 0o777, statSync(at('kit.age.txt')).mode & 0o777]).toEqual([0o600, 0o600])

    // Nothing of this host is in reach: neither its configuration nor its password, and the state of another.
    renameSync(world.password, `${world.password}.away`)
    renameSync(world.repository, `${world.repository}.away`)
    const checked = await world.json<KitCheckResult>(kitCalls('check', at('kit.age')), { config: null, environment: { STACKBK_STATE_DIR: at('other-state'), RESTIC_PASSWORD: 'wrong', RCLONE_CONFIG: '/nonexistent' } })
    renameSync(`${world.password}.away`, world.password)
    renameSync(`${world.repository}.away`, world.repository)
    expect(checked.exitCode, checked.stderr).toBe(0)
    expect(checked.result).toMatchObject({ status: 'ok', snapshots: 1, read: ['web'], repositoryId: written.result.repositoryId, problems: [] })
    expect(leftBehind()).toEqual([])
  })

  it('opens with age alone, and the commands of its page bring the files back without stackbk', async () => {
    const page = readFileSync(at('kit.age.txt'), 'utf8')
    for (const secret of [readFileSync(world.password, 'utf8').trim(), 'private key']) expect(page).not.toContain(secret)
    // Into folders of the test's own instead of those of the page.
    const bare = at('bare')
    mkdirSync(bare)
    const moved = (line: string): string => line.replaceAll(world.repository, join(bare, 'repository')).replace('--target /', `--target ${join(bare, 'files')}`).replace('SNAPSHOT', 'latest').replaceAll(at('key'), join(bare, 'placed', 'key'))
    const commands = page.split('\n').filter((line) => line.startsWith('  ')).map((line) => line.trim())
    const opening = commands.filter((line) => line.startsWith('mkdir') || line.includes('age -d')).map((line) => line.replace('../kit.age', at('kit.age')))
    const rest = commands.filter((line) => /^(?:install -D|rclone|restic) /.test(line)).map(moved)
    expect([opening.length, rest.length]).toEqual([2, 5])

    const script = ['set -e', `cd ${bare}`, ...opening, ...rest, 'echo all is back'].join('\n')
    const said = await typedScript({ argv: ['bash', '-c', script], env: { PATH: process.env['PATH'] ?? '', HOME: join(bare, 'home'), TERM: 'xterm' }, passphrase })
    expect(said).toContain('all is back')
    expect(readFileSync(join(bare, 'files', world.stacks, 'web', 'data', 'file'), 'utf8')).toBe('what is to come back')
    expect(readFileSync(join(bare, 'placed', 'key'), 'utf8')).toBe('a private key\n')
  })

  it('unpacked into any folder it is a configuration that stackbk works with', async () => {
    const kit = join(at('bare'), 'stackbk-kit')
    const { exitCode, stdout, stderr } = await world.run(['restore', join(at('bare'), 'again'), '--json'], { config: join(kit, 'config.ini'), environment: { STACKBK_STATE_DIR: at('other-state') } })
    expect(exitCode, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ snapshots: 1, verification: { status: 'ok' } })
  })

  it('status tells of the kit, and when a secret has changed since', async () => {
    const kitOf = async (): Promise<StatusResult> => (await world.json<StatusResult>(['status'])).result
    expect((await kitOf()).kit).toMatchObject({ file: at('kit.age'), checkedAt: null, outdated: false })
    expect((await world.run(kitCalls('check', at('kit.age')))).exitCode).toBe(0)
    expect((await kitOf()).kit?.checkedAt).not.toBeNull()
    writeFileSync(at('key'), 'another private key\n')
    const after = await kitOf()
    expect(after.kit?.outdated).toBe(true)
    expect(after.problems).toContainEqual(expect.objectContaining({ severity: 'warning', code: 'kit-outdated', fix: expect.stringContaining('stackbk kit write') as string }))
  })

  it.each([
    ['the passphrase is wrong', 6, () => writeFileSync(at('wrong'), 'wrong'), () => kitCalls('check', at('kit.age'), at('wrong'))],
    ['the kit is cut short', 6, () => writeFileSync(at('cut.age'), readFileSync(at('kit.age')).subarray(0, 3000)), () => kitCalls('check', at('cut.age'))],
    ['the file is no kit', 6, () => {}, () => kitCalls('check', at('passphrase'))],
    ['there is no such kit', 2, () => {}, () => kitCalls('check', at('none.age'))],
    ['there is nobody to ask', 2, () => {}, () => ['kit', 'check', at('kit.age')]],
    ['the passphrase is empty', 2, () => writeFileSync(at('empty'), '\n'), () => kitCalls('write', at('new.age'), at('empty'))],
    ['something else is at its place', 2, () => {}, () => kitCalls('write', at('passphrase'))],
  ])('answers in three lines, and leaves nothing, where %s', async (_what, code, prepare, args) => {
    prepare()
    const { exitCode, stderr } = await world.run(args())
    expect(exitCode, stderr).toBe(code)
    expect(stderr.trim().split('\n').filter((line) => !/^\d{4}-/.test(line)).length).toBeLessThanOrEqual(3)
    expect(existsSync(at('new.age'))).toBe(false)
    expect(readFileSync(at('passphrase'), 'utf8')).toBe(`${passphrase}\n`)
    expect(leftBehind()).toEqual([])
  })

  it('looks at the path before it needs a passphrase', async () => {
    const missing = await world.run(['kit', 'check', at('none.age')])
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining(`there is no kit ${at('none.age')}`)])
    const other = await world.run(['kit', 'check', at('key')])
    expect([other.exitCode, other.stderr]).toEqual([6, expect.stringContaining('it is not a file in age format')])
    const folder = await world.run(['kit', 'write', at('nowhere/kit.age')])
    expect([folder.exitCode, folder.stderr]).toEqual([2, expect.stringContaining(`there is no folder ${at('nowhere')}`)])
  })

  it('check tells when the copy holds no repository, and when it cannot be reached', async () => {
    renameSync(join(world.cloud, 'config'), join(world.cloud, 'config.away'))
    const empty = await world.run(kitCalls('check', at('kit.age')))
    renameSync(join(world.cloud, 'config.away'), join(world.cloud, 'config'))
    expect(empty.exitCode, empty.stderr).toBe(6)
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'elsewhere' } })
    expect((await world.run(kitCalls('write', at('elsewhere.age')))).exitCode).toBe(0)
    world.configure({ cloud_sync: { RCLONE_REMOTE: 'cloud' } })
    const away = await world.run(kitCalls('check', at('elsewhere.age')))
    expect(away.exitCode, away.stderr).toBe(5)
    expect(leftBehind()).toEqual([])
  })

  it('check uses up no token that can be used once: one that rclone renews meanwhile comes back to this host, also when the check fails', async () => {
    const config = at('rclone.conf')
    const before = readFileSync(config, 'utf8')
    writeFileSync(config, `${before}\n[once]\ntype = box\ntoken = {"refresh_token":"first"}\n`)
    expect((await world.run(kitCalls('write', at('token.age')))).exitCode).toBe(0)
    const rclone = execFileSync('sh', ['-c', 'command -v rclone'], { encoding: 'utf8' }).trim()
    // As rclone does when an access token has expired: it writes the new one into the configuration that it was given.
    world.fake('rclone', `#!/bin/sh\ncase "$RCLONE_CONFIG" in */stackbk-kit-*) sed -i 's/"refresh_token":"first"/"refresh_token":"second"/' "$RCLONE_CONFIG";; esac\nexec ${rclone} "$@"\n`)
    const checked = await world.json<KitCheckResult>(kitCalls('check', at('token.age')), { environment: { PATH: world.fakePath } })
    expect([checked.exitCode, checked.result.problems], checked.stderr).toMatchObject([0, [{ severity: 'warning', code: 'kit-renewed', fix: expect.stringContaining('kit write') as string }]])
    expect(readFileSync(config, 'utf8')).toBe(`${before}\n[once]\ntype = box\ntoken = {"refresh_token":"second"}\n`)

    writeFileSync(config, `${before}\n[once]\ntype = box\ntoken = {"refresh_token":"first"}\n`)
    renameSync(join(world.cloud, 'config'), join(world.cloud, 'config.away'))
    const failed = await world.run(kitCalls('check', at('token.age')), { environment: { PATH: world.fakePath } })
    renameSync(join(world.cloud, 'config.away'), join(world.cloud, 'config'))
    expect(failed.exitCode, failed.stderr).toBe(6)
    expect(readFileSync(config, 'utf8')).toContain('"second"')
    writeFileSync(config, before)
    expect(leftBehind()).toEqual([])
  })

  it('a password that comes from a command is in the kit as a file', async () => {
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: null, RESTIC_PASSWORD_COMMAND: `sh -c 'cat "${world.password}"'` } })
    expect((await world.run(kitCalls('write', at('command.age')))).exitCode).toBe(0)
    renameSync(world.password, `${world.password}.away`)
    const { exitCode, stderr } = await world.run(kitCalls('check', at('command.age')), { config: null })
    renameSync(`${world.password}.away`, world.password)
    expect(exitCode, stderr).toBe(0)
  })
})
