import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { makeQuickRepository } from '../fixtures/quick-repository.js'
import { makeWorld, oneService, says, type World, type WorldStack } from '../fixtures/world.js'

const which = (tool: string): string => execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim()

let world: World
let web: WorldStack

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  web = await world.stack('web', { model: oneService, isUp: false, files: { 'data/blob': 'content' } })
})
afterAll(() => world.remove())

/** A configuration of its own with one line for the password, and a repository that opens with `password` alone. */
function withPassword(line: string, password: string, more = ''): { config: string; repository: string } {
  const name = randomBytes(4).toString('hex')
  const repository = join(world.root, `repository-${name}`)
  makeQuickRepository(repository, password)
  const config = join(world.root, `${name}.ini`)
  const text = ['[docker]', `DOCKER_STACKS_DIR=${world.stacks}`, `DIRLIST=${world.dirlist}`, '[local_backup]', `RESTIC_REPOSITORY=${repository}`, line, 'ENABLE_VERIFICATION=false', 'AUTO_PRUNE=false', more, '']
  writeFileSync(config, text.join('\n'), { mode: 0o600 })
  return { config, repository }
}

describe('defect 26: values are taken as they are written', () => {
  it.each([
    ['a # that no blank stands before', 'RESTIC_PASSWORD=pass#word', 'pass#word'],
    ['a ; that no blank stands before', 'RESTIC_PASSWORD=pass;word', 'pass;word'],
    ['a # in quotes, and a comment behind them', 'RESTIC_PASSWORD="pass #word" # the old one', 'pass #word'],
    ['a # behind a blank begins a comment', 'RESTIC_PASSWORD=word # the old one', 'word'],
    ['quotes that the value itself ends with', "RESTIC_PASSWORD_COMMAND=sh -c 'printf %s \"a b\"'", 'a b'],
    ['an = in it', 'RESTIC_PASSWORD=a=b==', 'a=b=='],
    ['an alias in lower case', 'password = Short', 'Short'],
  ])('%s', async (_, line, password) => {
    const { config } = withPassword(line, password)
    const { exitCode, stderr } = await world.run(['snapshots', '--json'], { config })
    expect(exitCode, stderr).toBe(0)
  })

  it('an unknown key is a warning with its line and the nearest name, and the run goes on', async () => {
    const { config } = withPassword('RESTIC_PASSWORD=word', 'word', 'KEEP_DAYLY=3')
    const { exitCode, stderr } = await world.run(['snapshots'], { config })
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(new RegExp(`${config}:9.*KEEP_DAYLY.*Did you mean KEEP_DAILY`))
  })

  it('every way of saying yes in the dirlist means yes, and no line of it is rewritten', async () => {
    const others = ['yes', 'On', 'one'].map((name) => world.stack(`is ${name}`, { model: oneService, isUp: false, isEnabled: false }))
    await Promise.all(others)
    const text = '# mine\nweb=TRUE   # always\nis yes = yes\nis On=On\n+is one\n\nsomething else\n'
    writeFileSync(world.dirlist, text)
    const call = await world.backup()
    expect(call.exitCode, JSON.stringify(call.result.problems)).toBe(0)
    expect(call.result.stacks.map((stack) => stack.name).sort()).toEqual(['is On', 'is one', 'is yes', 'web'])
    expect(readFileSync(world.dirlist, 'utf8')).toBe(text)
    const disabled = await world.run(['dirlist', 'disable', 'is yes'])
    expect(disabled.exitCode, disabled.stderr).toBe(0)
    expect(readFileSync(world.dirlist, 'utf8')).toBe(text.replace('is yes = yes', 'is yes = false'))
    writeFileSync(world.dirlist, 'web=true\n')
  })
})

describe('the old form without sections', () => {
  it('works as it is, with a hint in one line', async () => {
    const repository = join(world.root, 'flat-repository')
    makeQuickRepository(repository, 'flat secret')
    const config = join(world.root, 'backup.conf')
    writeFileSync(config, `# backup.conf\nexport BACKUP_DIR="${world.stacks}"\nRESTIC_REPOSITORY="${repository}"\nRESTIC_PASSWORD='flat secret'\nKEEP_DAILY=3\nDIRLIST=${world.dirlist}\n`, { mode: 0o600 })
    const { exitCode, result, stderr } = await world.backup([], { config })
    expect(exitCode, stderr).toBe(0)
    expect(result.stacks.map((stack) => stack.name)).toEqual(['web'])
    expect(stderr.split('\n').filter((line) => line.includes('config import'))).toHaveLength(1)
  })
})

describe('defect 11: a password in the configuration', () => {
  const secret = `s3cret-${randomBytes(8).toString('hex')}`
  let config: string

  beforeAll(() => {
    config = withPassword(`RESTIC_PASSWORD=${secret}`, secret, ['[cloud_sync]', 'RCLONE_REMOTE=cloud', 'RCLONE_PATH=/secretly', `RCLONE_CONFIG=${world.root}/rclone.conf`].join('\n')).config
  })

  /** Files below the world's folder that hold it. */
  const holders = (): string[] => {
    const found = execFileSync('sh', ['-c', `grep -rlF -- ${secret} ${world.root} || true`], { encoding: 'utf8' })
    return found.split('\n').filter((file) => file !== '')
  }

  it('is left in no file but that one: not in the temporary folder, the state, the log', async () => {
    const { exitCode, stdout, stderr } = await world.run(['run', '--verbose'], { config })
    expect(exitCode, stderr).toBe(0)
    expect((await world.run(['restore', join(world.root, 'secret-restore')], { config })).exitCode).toBe(0)
    expect((await world.run(['config', 'show'], { config })).stdout).not.toContain(secret)
    expect(stdout + stderr).not.toContain(secret)
    expect(holders()).toEqual([config])
    expect(readdirSync(world.temporary)).toEqual([])
  })

  it('is in no argument of any tool, and in the environment of none but restic', async () => {
    for (const tool of ['restic', 'rclone', 'docker']) {
      world.fake(tool, `#!/bin/sh\nprintf '%s\\n' "$0 $*" >> ${world.root}/arguments\nenv | sed "s|^|${tool} |" >> ${world.root}/environments\nexec ${which(tool)} "$@"\n`)
    }
    expect((await world.run(['run'], { config, environment: { PATH: world.fakePath } })).exitCode).toBe(0)
    const calls = readFileSync(join(world.root, 'arguments'), 'utf8')
    for (const tool of ['restic', 'rclone', 'docker']) expect(calls).toContain(`/bin/${tool} `)
    expect(calls).not.toContain(secret)
    const environments = readFileSync(join(world.root, 'environments'), 'utf8').split('\n').filter((line) => line.includes(secret))
    expect([...new Set(environments)]).toEqual([`restic RESTIC_PASSWORD=${secret}`])
    for (const file of ['arguments', 'environments']) rmSync(join(world.root, file))
  })

  it('is left nowhere by a kill either', async () => {
    await web.up()
    web.write('data/big', randomBytes(20_000_000))
    const underway = await world.startUntil(['backup'], says('snapshot begun', 'web'), { config })
    underway.signal('SIGKILL')
    await underway.ended
    expect(holders()).toEqual([config])
    expect(readdirSync(world.temporary)).toEqual([])
    const { exitCode } = await world.run(['resume'], { config })
    expect(exitCode).toBe(0)
    expect(await web.running()).toEqual(['app'])
  })
})
