import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { makeQuickRepository } from '../fixtures/quick-repository.js'
import { canMakeDisks, makeSmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, oneService, type World } from '../fixtures/world.js'

let world: World
let targets = 0

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false }, cloud_sync: { RETRIES: 0 } } })
  const web = await world.stack('web', { model: oneService, isUp: false })
  for (let round = 0; round < 2; round++) {
    web.write('data/blob', randomBytes(2_500_000))
    expect((await world.backup()).exitCode).toBe(0)
  }
  expect((await world.sync()).exitCode).toBe(0)
})
afterAll(() => world.remove())

const fresh = (): string => join(world.root, `target-${++targets}`)

function contents(repository: string): string[] {
  const files = readdirSync(repository, { recursive: true }) as string[]
  return files.filter((file) => /^(config|(data|index|keys|snapshots)\/.*[0-9a-f]{64})$/.test(file)).sort().map((file) => `${file} ${readFileSync(join(repository, file)).toString('base64')}`)
}

function packsIn(repository: string): string[] {
  return (readdirSync(join(repository, 'data'), { recursive: true }) as string[]).filter((file) => /[0-9a-f]{64}$/.test(file)).map((file) => join(repository, 'data', file))
}

describe('what comes back', () => {
  it('into a named folder equals what was there, is proven sound and says what to do next', async () => {
    const target = fresh()
    const { exitCode, result } = await world.restore(target, '--read-data')
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(result).toMatchObject({ command: 'restore', status: 'ok', source: 'cloud:/backup', target, snapshots: 2, verification: { status: 'ok', corrupt: [] } })
    expect(result.files).toBe(contents(target).length)
    expect(result.verification.filesChecked).toBe(result.files - 1)
    expect(result.nextSteps.join('\n')).toContain(target)
    expect(contents(target)).toEqual(contents(world.repository))
    expect(existsSync(join(target, 'stackbk-restore.json'))).toBe(false)
    await world.check(target)
  })

  it('goes to the configured place if that is gone, else to a dated folder beside it', async () => {
    const aside = join(world.root, 'aside')
    const beside = await world.restore()
    expect(beside.result.target).toMatch(new RegExp(`^${world.repository}-restored-\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d$`))
    expect(contents(beside.result.target)).toEqual(contents(world.repository))
    renameSync(world.repository, aside)
    const { exitCode, result } = await world.restore()
    expect([exitCode, result.target]).toEqual([0, world.repository])
    expect(contents(world.repository)).toEqual(contents(aside))
    expect((await world.backup()).exitCode).toBe(0)
    rmSync(world.repository, { recursive: true })
    renameSync(aside, world.repository)
  })

  it('needs no stacks folder and no docker, on a bare host with a new state folder', async () => {
    const target = fresh()
    const config = join(world.root, 'bare.ini')
    writeFileSync(config, `[local_backup]\nRESTIC_PASSWORD_FILE=${world.password}\n[cloud_sync]\nRCLONE_REMOTE=cloud\nRCLONE_PATH=/backup\nRCLONE_CONFIG=${world.root}/rclone.conf\n`, { mode: 0o600 })
    const { exitCode, result, stderr } = await world.json<{ verification: { status: string } }>(['restore', target], { config, environment: { STACKBK_STATE_DIR: join(world.root, 'bare-state'), PATH: world.pathOf('node', 'restic', 'rclone', 'mkfifo', 'sh') } })
    expect(exitCode, stderr).toBe(0)
    expect(result.verification.status).toBe('ok')
    await world.check(target)
  })

  it('is proven by its hashes alone without the password, and that is said', async () => {
    const target = fresh()
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: null } })
    const { exitCode, result } = await world.restore(target)
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: world.password } })
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(result).toMatchObject({ snapshots: null, verification: { status: 'skipped', corrupt: [] }, problems: [{ severity: 'warning', code: 'not-opened' }] })
    expect(result.verification.filesChecked).toBeGreaterThan(4)
    await world.check(target)
  })

  it('with a wrong password is exit 12, and what came stays', async () => {
    const target = fresh()
    writeFileSync(world.password, 'wrong\n')
    const { exitCode, result } = await world.restore(target)
    writeFileSync(world.password, 'secret\n')
    expect([exitCode, result.verification.status]).toEqual([12, 'failed'])
    await world.check(target)
  })
})

describe('what is no repository', () => {
  beforeEach(() => {
    world.configure({ cloud_sync: { RCLONE_PATH: '/else' } })
    return () => {
      world.configure({ cloud_sync: { RCLONE_PATH: '/backup' } })
      rmSync(join(world.root, 'remote', 'else'), { recursive: true, force: true })
    }
  })

  it.each([
    ['is not there', (): void => {}],
    ['is empty', (folder: string): void => void mkdirSync(folder)],
    ['holds photographs', (folder: string): void => {
      mkdirSync(folder)
      writeFileSync(join(folder, 'one.jpg'), 'x')
    }],
    ['lacks its key', (folder: string): void => {
      mkdirSync(join(folder, 'snapshots'), { recursive: true })
      writeFileSync(join(folder, 'config'), randomBytes(155))
    }],
  ])('defect 12: a remote folder that %s is exit 10, and nothing is written', async (_, make) => {
    make(join(world.root, 'remote', 'else'))
    const target = fresh()
    const { exitCode, stdout } = await world.run(['restore', target, '--json'])
    expect(exitCode).toBe(10)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'remote-not-a-repository', exitCode: 10 } })
    expect(existsSync(target)).toBe(false)
  })
})

describe('a target that may not be used', () => {
  it('holds something else: 2, and it stays as it is', async () => {
    const target = fresh()
    mkdirSync(target)
    writeFileSync(join(target, 'precious'), 'x')
    const before = world.picture(target)
    const { exitCode, stdout } = await world.run(['restore', target, '--json'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([2, { error: { code: 'target-not-empty' } }])
    expect(world.picture(target)).toBe(before)
  })

  it.skipIf(process.getuid?.() !== 0)('cannot be written to: 2, in words and not as an error of our own', async () => {
    const disk = join(world.root, 'read-only')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', disk])
    try {
      const { exitCode, stdout } = await world.run(['restore', disk, '--json'])
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([2, { error: { code: 'target-unusable' } }])
    } finally {
      execFileSync('umount', [disk])
    }
  })

  it.skipIf(process.getuid?.() !== 0)('defect 30: is a known place whose disk is not mounted: 7, and nothing is written below it', async () => {
    const disk = join(world.root, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', 'none', disk])
    try {
      world.configure({ local_backup: { RESTIC_REPOSITORY: join(disk, 'repository') } })
      expect((await world.restore()).exitCode).toBe(0)
      expect((await world.backup()).exitCode).toBe(0)
    } finally {
      execFileSync('umount', [disk])
    }
    const refused = await world.run(['restore', '--json'])
    expect([refused.exitCode, JSON.parse(refused.stdout)]).toMatchObject([7, { error: { code: 'disk-not-mounted' } }])
    const backup = await world.run(['backup', '--json'])
    expect([backup.exitCode, JSON.parse(backup.stdout)]).toMatchObject([10, { error: { code: 'repository-missing' } }])
    expect(readdirSync(disk)).toEqual([])
    execFileSync('mount', ['-t', 'tmpfs', 'none', disk])
    try {
      // A new disk in the place of the dead one is what a restore is for.
      expect((await world.restore()).exitCode).toBe(0)
    } finally {
      execFileSync('umount', [disk])
    }
    world.configure({ local_backup: { RESTIC_REPOSITORY: world.repository } })
  })
})

describe('into a repository that is there', () => {
  const snapshotsIn = (repository: string): string[] => readdirSync(join(repository, 'snapshots')).sort()

  it('comes what it lacks, and nothing that was forgotten there, nor a key that was taken away', async () => {
    const copy = fresh()
    expect((await world.restore(copy)).exitCode).toBe(0)
    const [packs, snapshots] = [packsIn(copy), snapshotsIn(copy)]
    rmSync(packs[0]!)
    rmSync(join(copy, 'snapshots', snapshots[0]!))
    const merged = await world.restore(copy, '--read-data')
    expect(merged.exitCode, JSON.stringify(merged.result)).toBe(0)
    expect([packsIn(copy), snapshotsIn(copy)]).toEqual([packs, snapshots])
    await world.check(copy)

    world.configure({ local_backup: { RESTIC_REPOSITORY: copy } })
    try {
      expect((await world.run(['snapshots', 'forget', snapshots[1]!, '--yes'])).exitCode).toBe(0)
      execFileSync('restic', ['-r', copy, 'key', 'add', '--new-password-file', world.password, '--password-file', world.password, '--no-cache'], { stdio: 'ignore' })
      const old = readdirSync(join(world.cloud, 'keys'))[0]!
      rmSync(join(copy, 'keys', old))
      const again = await world.restore(copy)
      expect(again.exitCode, JSON.stringify(again.result)).toBe(0)
      expect(again.result.problems.map(({ code }) => code).sort()).toEqual(['keys-left-out', 'not-resurrected'])
      expect(snapshotsIn(copy)).toEqual([snapshots[0]])
      expect(readdirSync(join(copy, 'keys'))).not.toContain(old)
      await world.check(copy)
    } finally {
      world.configure({ local_backup: { RESTIC_REPOSITORY: world.repository } })
    }
  })

  it('of another ID is refused: 7, and it stays as it is', async () => {
    const other = fresh()
    makeQuickRepository(other, 'secret')
    const before = contents(other)
    const { exitCode, stdout } = await world.run(['restore', other, '--json'])
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([7, { error: { code: 'another-repository' } }])
    expect(contents(other)).toEqual(before)
  })
})

describe.skipIf(!canMakeDisks)('a disk without room', () => {
  it('is told before anything is written: 7', async () => {
    const disk = await makeSmallDisk({ path: join(world.root, 'small'), bytes: 2_000_000 })
    try {
      const { exitCode, stdout } = await world.run(['restore', join(disk.path, 'repository'), '--json'])
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([7, { error: { code: 'not-enough-space' } }])
      expect(readdirSync(disk.path)).toEqual([])
    } finally {
      await disk.remove()
    }
  })
})

describe('a restore that is cut short', () => {
  it('is no repository to anybody, and the same command goes on with it', async () => {
    const target = fresh()
    world.configure({ cloud_sync: { BANDWIDTH: '1M' } })
    const underway = await world.startUntil(['restore', target], () => existsSync(join(target, 'data')) && packsIn(target).length > 0)
    underway.signal('SIGKILL')
    await underway.ended
    world.configure({ cloud_sync: { BANDWIDTH: null } })
    expect(existsSync(join(target, 'config'))).toBe(false)
    expect(JSON.parse(readFileSync(join(target, 'stackbk-restore.json'), 'utf8'))).toMatchObject({ source: 'cloud:/backup' })

    const { exitCode, result } = await world.restore(target)
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(contents(target)).toEqual(contents(world.repository))
    expect(readdirSync(target)).not.toContain('stackbk-restore.json')
    expect(world.processes()).toEqual([])
    await world.check(target)
  })
})

describe('a restore that is taken up again', () => {
  /** A copy of the repository as a restore leaves it that is cut before its last file. */
  function begun(more: (target: string) => void): string {
    const target = fresh()
    cpSync(world.repository, target, { recursive: true })
    rmSync(join(target, 'config'))
    writeFileSync(join(target, 'stackbk-restore.json'), JSON.stringify({ schemaVersion: 1, what: 'x', source: 'cloud:/backup', startedAt: '2026-01-01T00:00:00.000Z' }))
    more(target)
    return target
  }

  it('drops what it had fetched and the remote has no more', async () => {
    const name = 'f'.repeat(64)
    const target = begun((folder) => ['index', 'snapshots'].forEach((group) => writeFileSync(join(folder, group, name), 'an old one')))
    const { exitCode, result } = await world.restore(target)
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(contents(target)).toEqual(contents(world.repository))
  })

  it('is made no repository by a backup that comes in between: 10', async () => {
    const target = begun((folder) => rmSync(join(folder, 'keys'), { recursive: true }))
    world.configure({ local_backup: { RESTIC_REPOSITORY: target } })
    const { exitCode, stdout } = await world.run(['backup', '--json'])
    world.configure({ local_backup: { RESTIC_REPOSITORY: world.repository } })
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([10, { error: { code: 'restore-unfinished' } }])
    expect(existsSync(join(target, 'config'))).toBe(false)
  })

  it('needs no second download when it was cut in the look at what came', async () => {
    const target = begun((folder) => cpSync(join(world.repository, 'config'), join(folder, 'config')))
    const { exitCode, result } = await world.restore(target)
    expect([exitCode, result.target, result.verification.status]).toEqual([0, target, 'ok'])
    expect(readdirSync(target)).not.toContain('stackbk-restore.json')
  })
})

describe('a file that is lost', () => {
  const damage: [string, () => string, (path: string) => void][] = [
    ['a lost pack', () => packsIn(world.repository).sort((one, other) => statSync(other).size - statSync(one).size)[0] ?? '', (path) => rmSync(path)],
    ['a rotten index', () => join(world.repository, 'index', readdirSync(join(world.repository, 'index'))[0] ?? ''), (path) => (rmSync(path), writeFileSync(path, 'x'))],
    ['a rotten key', () => join(world.repository, 'keys', readdirSync(join(world.repository, 'keys'))[0] ?? ''), (path) => (rmSync(path), writeFileSync(path, 'x'))],
  ]

  it.each(damage)('%s is found by verify, 6, and comes back from the remote by verify --repair', async (_, choose, spoil) => {
    const path = choose()
    const whole = readFileSync(path)
    spoil(path)
    expect((await world.run(['verify'])).exitCode).toBe(6)
    const { exitCode, result } = await world.json<{ corrupt: unknown[] }>(['verify', '--repair'])
    expect([exitCode, result.corrupt]).toEqual([0, [{ file: path.slice(world.repository.length + 1), where: 'local', healed: true }]])
    expect(readFileSync(path).equals(whole)).toBe(true)
    expect((await world.run(['verify'])).exitCode).toBe(0)
  })

  it("the remote's config has no name to be compared with: one that differs is told by verify --cloud", async () => {
    const config = join(world.cloud, 'config')
    const whole = readFileSync(config)
    rmSync(config)
    writeFileSync(config, randomBytes(155))
    const { result } = await world.json<{ problems: unknown[] }>(['verify', '--cloud'])
    expect(result.problems).toMatchObject([{ severity: 'warning', code: 'config-differs' }])
    writeFileSync(config, whole)
  })
})

describe('a rotten file on the remote', () => {
  let pack: string
  let whole: Buffer

  beforeAll(() => {
    pack = packsIn(world.cloud).sort()[0] ?? ''
    whole = readFileSync(pack)
    const rotten = Buffer.from(whole)
    rotten[rotten.length >> 1] = (rotten[rotten.length >> 1] ?? 0) ^ 0xff
    chmodSync(pack, 0o600)
    writeFileSync(pack, rotten)
  })

  const name = (): string => pack.slice(world.cloud.length + 1)

  it('is found by a restore: 6, with its name', async () => {
    const { exitCode, result } = await world.restore(fresh())
    expect(exitCode).toBe(6)
    expect(result).toMatchObject({ status: 'failed', verification: { status: 'failed', corrupt: [name()] } })
    expect(result.problems).toMatchObject([{ severity: 'error', code: 'rotten-on-remote' }])
  })

  it('is found by verify --cloud without the password: 6', async () => {
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: null } })
    const { exitCode, result } = await world.json<{ corrupt: unknown[]; depth: string }>(['verify', '--cloud'])
    world.configure({ local_backup: { RESTIC_PASSWORD_FILE: world.password } })
    expect(exitCode).toBe(6)
    expect(result).toMatchObject({ depth: 'remote 100 %', corrupt: [{ file: name(), where: 'remote', healed: false }] })
  })

  it('is healed from the local repository by verify --cloud --repair', async () => {
    const { exitCode, result } = await world.json<{ corrupt: unknown[] }>(['verify', '--cloud', '--repair'])
    expect([exitCode, result.corrupt]).toEqual([0, [{ file: name(), where: 'remote', healed: true }]])
    expect(readFileSync(pack).equals(whole)).toBe(true)
  })

  it('the other way round a rotten local file is found by verify, and healed from the remote', async () => {
    const local = join(world.repository, name())
    chmodSync(local, 0o600)
    writeFileSync(local, Buffer.alloc(whole.length))
    const found = await world.json<{ corrupt: unknown[] }>(['verify', '--read-data-subset', '100%'])
    expect([found.exitCode, found.result.corrupt]).toEqual([6, [{ file: name(), where: 'local', healed: false }]])
    const healed = await world.json<{ corrupt: unknown[] }>(['verify', '--read-data-subset', '100%', '--repair'])
    expect([healed.exitCode, healed.result.corrupt]).toEqual([0, [{ file: name(), where: 'local', healed: true }]])
    expect(readFileSync(local).equals(whole)).toBe(true)
  })
})
