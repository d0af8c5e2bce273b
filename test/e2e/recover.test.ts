import { execFileSync } from 'node:child_process'
import { chownSync, chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, removeProject } from '../fixtures/compose-stack.js'
import { fingerprint, furnish } from '../fixtures/fingerprint.js'
import { keptIn, removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, says, type World, type WorldStack } from '../fixtures/world.js'

let world: World

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
})
afterAll(async () => {
  await removeKept(world)
  await world.remove()
})

const recover = (...args: string[]): Promise<{ exitCode: number; result: RecoverResult; stderr: string }> => world.json<RecoverResult>(['recover', ...args])

async function volumePath(stack: WorldStack, key = 'vol'): Promise<string> {
  return docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_${key}`)
}

const killer = fileURLToPath(new URL('../fixtures/kill-at-rename.mjs', import.meta.url))

/** More than there are: right after each step, and right before it. RECOVER_KILLS=all takes them all. */
const allSteps = Array.from({ length: 80 }, (_, index) => (index % 2 === 0 ? 1 : -1) * (Math.floor(index / 2) + 1))

function killedAt(step: number): Record<string, string> {
  return { NODE_OPTIONS: `--import ${killer}`, STACKBK_TEST_KILL_AT_RENAME: String(step) }
}

/** Everything of the stack: what a new machine does not have. */
async function erase(stack: WorldStack): Promise<void> {
  await removeProject(stack.project)
  rmSync(stack.directory, { recursive: true, force: true })
}

describe('on a bare host', () => {
  it('defect 23: brings back folder, volume and containers, to the owner, mode and attribute, the root folder too', async () => {
    const stack = await world.stack('bare')
    furnish(join(stack.directory, 'data'))
    chownSync(stack.directory, 321, 123)
    chmodSync(stack.directory, 0o2751)
    execFileSync('setfattr', ['-n', 'user.root', '-v', 'of the root', stack.directory])
    const volume = await volumePath(stack)
    furnish(volume)
    chownSync(volume, 70, 70)
    chmodSync(volume, 0o700)
    const { exitCode } = await world.backup(['bare'])
    expect(exitCode).toBe(0)
    const before = [fingerprint(stack.directory), fingerprint(volume)]
    await erase(stack)

    const { exitCode: code, result } = await recover('bare')
    expect(code, JSON.stringify(result)).toBe(0)
    expect(result.stacks).toMatchObject([{ name: 'bare', directory: stack.directory, status: 'ok', started: true, healthy: true }])
    expect(await stack.running()).toEqual(['app', 'db'])
    expect([fingerprint(stack.directory), fingerprint(await volumePath(stack))]).toEqual(before)
    expect(readdirSync(dirname(stack.directory)).filter((name) => name.startsWith('.'))).toEqual([])
    expect(existsSync(join(world.state, 'recoveries')) ? readdirSync(join(world.state, 'recoveries')) : []).toEqual([])
    expect(readFileSync(join(stack.directory, 'data', 'file'), 'utf8')).toBe('content\n')

    // Killed: nothing is there before its files are in place, and it runs when they are.
    const ends: string[] = []
    for (const at of process.env['RECOVER_KILLS'] === 'all' ? allSteps : [1, 4]) {
      await erase(stack)
      const killed = await world.run(['recover', 'bare'], { environment: killedAt(at) })
      if (killed.exitCode === 0) break
      expect(killed.exitCode, `${at}: ${killed.stdout}${killed.stderr}`).toBe(137)
      const resumed = await world.resume()
      expect(resumed.exitCode, `${at}: ${JSON.stringify(resumed.result)}`).toBe(0)
      ends.push(`${at} ${existsSync(stack.directory) ? 'new' : 'nothing'}`)
      if (existsSync(stack.directory)) {
        expect(await stack.running(), `killed at ${at}`).toEqual(['app', 'db'])
        expect([fingerprint(stack.directory), fingerprint(await volumePath(stack))], `killed at ${at}`).toEqual(before)
      } else expect(await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${stack.project}`)).toBe('')
      expect(readdirSync(dirname(stack.directory)).filter((name) => name.startsWith('.')), `killed at ${at}`).toEqual([])
      expect([...readdirSync(join(world.state, 'recoveries')), ...world.journal()], `killed at ${at}`).toEqual([])
    }
    if (process.env['RECOVER_KILLS'] !== undefined) process.stderr.write(`${ends.join(', ')}\n`)
    expect(ends).toContain('1 nothing')
    expect(ends).toContain('4 new')
  }, 1_200_000)
})

describe('over a stack that is there', () => {
  let stack: WorldStack
  let snapshotted: readonly string[]
  let present: readonly string[]

  const picture = async (): Promise<readonly string[]> => [fingerprint(stack.directory), fingerprint(await volumePath(stack))]
  /** What is there differs from the snapshot in everything. */
  const change = async (): Promise<void> => {
    writeFileSync(join(stack.directory, 'data', 'file'), `newer ${Date.now()}\n`)
    writeFileSync(join(stack.directory, 'only-now'), 'x')
    writeFileSync(join(await volumePath(stack), 'only-now'), 'x')
    chmodSync(stack.directory, 0o750)
  }

  beforeAll(async () => {
    stack = await world.stack('over')
    furnish(join(stack.directory, 'data'))
    furnish(await volumePath(stack))
    expect((await world.backup(['over'])).exitCode).toBe(0)
    snapshotted = await picture()
    await change()
    present = await picture()
  })

  it('asks first, and without a terminal and --yes nothing is touched', async () => {
    const containers = await stack.containers()
    const { exitCode, stderr, stdout } = await world.run(['recover', 'over'])
    expect(exitCode, stdout).toBe(2)
    expect(stderr).toContain('--yes')
    expect(await picture()).toEqual(present)
    expect(await stack.containers()).toBe(containers)
  })

  it('puts back what was there, and starts it, when it is killed at any step, and can be run again then', async () => {
    const ends: string[] = []
    for (const at of process.env['RECOVER_KILLS'] === 'all' ? allSteps : [3, 5, -8]) {
      const killed = await world.run(['recover', 'over', '--yes'], { environment: killedAt(at) })
      if (killed.exitCode === 0) break
      expect(killed.exitCode, `${at}: ${killed.stdout}${killed.stderr}`).toBe(137)
      const { exitCode, result } = await world.resume()
      expect(exitCode, `${at}: ${JSON.stringify(result)}`).toBe(0)
      const now = await picture()
      const isNew = JSON.stringify(now) === JSON.stringify(snapshotted)
      ends.push(`${at} ${isNew ? 'new' : 'old'}`)
      if (!isNew) expect(now, `killed at ${at}`).toEqual(present)
      expect(await stack.running(), `killed at ${at}`).toEqual(['app', 'db'])
      // A recovery that was confirmed has kept what only was there now.
      expect(keptIn(dirname(stack.directory)), `killed at ${at}`).toEqual(isNew ? [join(stack.directory, 'only-now')] : [])
      expect([...readdirSync(join(world.state, 'recoveries')), ...world.journal()], `killed at ${at}`).toEqual([])
      if (isNew) {
        await removeKept(world)
        await change()
        present = await picture()
      }
    }
    if (process.env['RECOVER_KILLS'] !== undefined) process.stderr.write(`${ends.join(', ')}\n`)
    expect(ends.join()).toContain('old')
  }, 1_200_000)

  it('comes back when Ctrl-C ends it, and that is said', async () => {
    const underway = await world.startUntil(['recover', 'over', '--yes'], says('recovery: rebuilding', 'over'))
    underway.signal('SIGINT')
    const { exitCode, stdout, stderr } = await underway.ended
    expect(exitCode, stdout + stderr).toBe(130)
    expect(await picture()).toEqual(present)
    expect(await stack.running()).toEqual(['app', 'db'])
    expect(readdirSync(join(world.state, 'recoveries'))).toEqual([])
  })

  it('is only looked at in a dry run', async () => {
    const [before, containers] = [world.picture(world.stacks, world.state, world.repository), await stack.containers()]
    const { exitCode, result } = await recover('over', '-n')
    expect([exitCode, result.dryRun, result.stacks[0]?.status], JSON.stringify(result)).toEqual([0, true, 'ok'])
    expect(world.picture(world.stacks, world.state, world.repository)).toBe(before)
    expect(await stack.containers()).toBe(containers)
  })

  it('replaces it as a whole, and keeps only what the snapshot does not hold when the new one is up', async () => {
    const { exitCode, result } = await recover('over', '--yes')
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(await picture()).toEqual(snapshotted)
    expect(await stack.running()).toEqual(['app', 'db'])
    expect(keptIn(dirname(stack.directory))).toEqual([join(stack.directory, 'only-now')])
    expect(JSON.stringify(result.problems)).toContain('rm -rf')
  })
})

it('a file or a folder whose name is not UTF-8 comes back, given as bytes or as it is shown, and nothing that looks alike', async () => {
  const stack = await world.stack('named', { files: { 'data/one': 'one\n' } })
  const data = join(stack.directory, 'data')
  const named = (folder: string, ...parts: (string | number)[]): Buffer => Buffer.concat([Buffer.from(`${folder}/`), ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part)))])
  const [umlaut, alike] = [named(data, 'M', 0xfc, 'ller'), named(data, 'M', 0xf6, 'ller')]
  const inside = (folder: Buffer): Buffer => Buffer.concat([folder, Buffer.from('/in'), Buffer.of(0xe9)])
  for (const folder of [umlaut, alike]) {
    mkdirSync(folder)
    writeFileSync(inside(folder), 'old')
  }
  expect((await world.backup(['named'])).exitCode).toBe(0)
  for (const folder of [umlaut, alike]) writeFileSync(inside(folder), 'new')

  const [folder, file, bytes] = ['folder', 'file', 'bytes'].map((name) => join(world.root, name)) as [string, string, string]
  expect((await recover('named', '--target', folder, '--path', 'data/M\\xFCller')).exitCode).toBe(0)
  expect((await recover('named', '--target', file, '--path', 'data/M\\xfcller/in\\xe9')).exitCode).toBe(0)
  const given = await world.run(['recover', 'named', '--target', bytes], { through: ['sh', '-c', 'exec "$@" --path "$(printf \'data/M\\374ller\')"', 'sh'] })
  expect(given.exitCode, given.stderr).toBe(0)
  expect(readdirSync(folder, { encoding: 'buffer' })).toEqual([named('', 'M', 0xfc, 'ller').subarray(1)])
  expect(readFileSync(named(folder, 'M', 0xfc, 'ller/in', 0xe9), 'utf8')).toBe('old')
  expect(readdirSync(file, { encoding: 'buffer' })).toEqual([named('', 'in', 0xe9).subarray(1)])
  expect(readdirSync(bytes, { encoding: 'buffer' })).toEqual(readdirSync(folder, { encoding: 'buffer' }))

  const { exitCode, result } = await recover('named', '--path', 'data/M\\xFCller', '--yes')
  expect(exitCode, JSON.stringify(result)).toBe(0)
  expect([umlaut, alike].map((folder) => readFileSync(inside(folder), 'utf8'))).toEqual(['old', 'new'])
  expect(await stack.running()).toEqual(['app', 'db'])
})

describe('a part of a stack', () => {
  let stack: WorldStack

  beforeAll(async () => {
    stack = await world.stack('part', { files: { 'data/one': 'old one\n', 'data/two': 'old two\n' } })
    writeFileSync(join(await volumePath(stack), 'row'), 'old row\n')
    expect((await world.backup(['part'])).exitCode).toBe(0)
    stack.write('data/one', 'new one\n')
    stack.write('data/two', 'new two\n')
    writeFileSync(join(await volumePath(stack), 'row'), 'new row\n')
  })

  it('comes out to below a folder, with nothing stopped, and never mixes with what is there', async () => {
    const containers = await stack.containers()
    const target = join(world.root, 'extracted')
    const whole = await recover('part', '--target', target)
    expect([whole.exitCode, whole.result.stacks[0]?.status], JSON.stringify(whole.result)).toEqual([0, 'ok'])
    expect(readFileSync(join(target, stack.directory, 'data/one'), 'utf8')).toBe('old one\n')
    expect(readFileSync(join(target, await volumePath(stack), 'row'), 'utf8')).toBe('old row\n')
    expect((await recover('part', '--target', target)).exitCode).toBe(2)
    const single = join(world.root, 'single')
    expect((await recover('part', '--target', single, '--path', 'data/two')).exitCode).toBe(0)
    expect(readdirSync(single)).toEqual(['two'])
    expect(await stack.containers()).toBe(containers)
  })

  it('is a single file in its place: the very containers are stopped for it and run again', async () => {
    const ids = async (): Promise<string[]> => (await stack.containers()).split('\n').map((line) => line.split(' ')[0]!)
    const before = await ids()
    const { exitCode, result } = await recover('part', '--path', 'data/one', '--yes')
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect([stack.read('data/one'), stack.read('data/two')]).toEqual(['old one\n', 'new two\n'])
    expect(await ids()).toEqual(before)
    expect(await stack.running()).toEqual(['app', 'db'])
    expect((await recover('part', '--path', 'data/none', '--yes')).exitCode).toBe(2)
  })

  it('is the data of a single service', async () => {
    stack.write('compose.yaml', `${stack.read('compose.yaml')}\n`)
    const { exitCode, result } = await recover('part', '--service', 'db', '--yes')
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(readFileSync(join(await volumePath(stack), 'row'), 'utf8')).toBe('old row\n')
    expect(stack.read('data/two')).toBe('old two\n')
    expect(stack.read('compose.yaml').endsWith('}\n')).toBe(true)
    expect(await stack.running()).toEqual(['app', 'db'])
  })

  it('is written over where it is, with nothing kept, and what the snapshot does not hold goes', async () => {
    stack.write('data/one', 'newest one\n')
    stack.write('data/extra', 'x')
    writeFileSync(join(dirname(stack.directory), 'neighbour'), 'stays')
    writeFileSync(join(await volumePath(stack), 'extra'), 'x')
    const { exitCode, result } = await recover('part', '--overwrite', '--yes')
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(readdirSync(join(stack.directory, 'data')).sort()).toEqual(['one', 'two'])
    expect(stack.read('data/one')).toBe('old one\n')
    expect(readdirSync(await volumePath(stack))).toEqual(['row'])
    expect(readFileSync(join(dirname(stack.directory), 'neighbour'), 'utf8')).toBe('stays')
    expect(await stack.running()).toEqual(['app', 'db'])

    stack.write('data/one', 'newest one\n')
    stack.write('data/extra', 'x')
    const ends: string[] = []
    for (const at of process.env['RECOVER_KILLS'] === 'all' ? allSteps : [4]) {
      const killed = await world.run(['recover', 'part', '--overwrite', '--yes'], { environment: killedAt(at) })
      if (killed.exitCode === 0) break
      const resumed = await world.resume()
      expect(resumed.exitCode, `${at}: ${JSON.stringify(resumed.result)}`).toBe(0)
      ends.push(`${at} ${stack.read('data/one').trim()}`)
      expect(await stack.running(), `killed at ${at}`).toEqual(['app', 'db'])
      expect([...readdirSync(join(world.state, 'recoveries')), ...world.journal()], `killed at ${at}`).toEqual([])
      if (stack.read('data/one') === 'old one\n') stack.write('data/one', 'newest one\n')
    }
    if (process.env['RECOVER_KILLS'] !== undefined) process.stderr.write(`${ends.join(', ')}\n`)
    expect(ends).toContain('4 old one')
  })
})

describe('what does not come up', () => {
  it('is taken away again, and what was there runs as before', async () => {
    const command = ['sh', '-c', "test -f /data/ready || exit 1; trap 'exit 0' TERM; sleep 1000000 & wait"]
    const stack = await world.stack('ill', { services: { app: { image: testImage, command, network_mode: 'none', volumes: ['./data:/data', '/cache'] } }, isUp: false, files: { 'data/ready': 'x' } })
    await stack.up()
    const cache = async (): Promise<string> => docker('inspect', '--format', '{{range .Mounts}}{{if eq .Destination "/cache"}}{{.Source}}{{end}}{{end}}', await stack.compose('ps', '-aq', 'app'))
    writeFileSync(join(await cache(), 'kept'), 'then')
    // In the snapshot that is brought back, the file is missing without which it does not run.
    rmSync(join(stack.directory, 'data/ready'))
    expect((await world.backup(['ill', '--stop-mode', 'none'])).exitCode).toBe(0)
    const id = (await world.snapshots()).at(-1)!.id
    stack.write('data/ready', 'now')
    writeFileSync(join(await cache(), 'kept'), 'now')
    const old = basename(dirname(await cache()))
    const { exitCode, result } = await recover('--snapshot', id, '--yes')
    expect(exitCode, JSON.stringify(result)).toBe(1)
    expect(result.stacks[0]).toMatchObject({ status: 'failed', healthy: false })
    expect(JSON.stringify(result.problems)).toContain('is back as it was')
    expect(stack.read('data/ready')).toBe('now')
    expect(await stack.running()).toEqual(['app'])
    // Its containers are new, and so is their anonymous volume: what was in it is in it.
    expect(readFileSync(join(await cache(), 'kept'), 'utf8')).toBe('now')
    expect(await docker('volume', 'ls', '-q', '--filter', `name=${old}`)).toBe('')
    expect(readdirSync(dirname(stack.directory)).filter((name) => name.startsWith('.stackbk-recover-ill-'))).toEqual([])

    // Killed on the way there or on the way back: it is back all the same.
    const ends: number[] = []
    for (const at of process.env['RECOVER_KILLS'] === 'all' ? allSteps : [14]) {
      const killed = await world.run(['recover', '--snapshot', id, '--yes'], { environment: killedAt(at) })
      if (killed.exitCode !== 137) break
      const resumed = await world.resume()
      expect(resumed.exitCode, `${at}: ${JSON.stringify(resumed.result)}`).toBe(0)
      expect([stack.read('data/ready'), readFileSync(join(await cache(), 'kept'), 'utf8')], `killed at ${at}`).toEqual(['now', 'now'])
      expect(await stack.running(), `killed at ${at}`).toEqual(['app'])
      expect([...readdirSync(join(world.state, 'recoveries')), ...world.journal()], `killed at ${at}`).toEqual([])
      ends.push(at)
    }
    if (process.env['RECOVER_KILLS'] !== undefined) process.stderr.write(`${ends.join(', ')}\n`)
    expect(ends).toContain(14)
  }, 1_200_000)
})
