import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { canMakeDisks, makeSmallDisk, type SmallDisk } from '../fixtures/small-disk.js'
import { makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

/** The root of a btrfs subvolume has this number, and no other folder has it. */
const rootNumber = 256

describe.runIf(canMakeDisks)('btrfs subvolumes', () => {
  const home = mkdtempSync(join(tmpdir(), 'stackbk-btrfs-'))
  let disk: SmallDisk
  let world: World
  let stack: WorldStack

  beforeAll(async () => {
    disk = await makeSmallDisk({ path: join(home, 'disk'), bytes: 200 << 20, kind: 'btrfs' })
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
    mkdirSync(join(disk.path, 'stacks'))
    for (const folder of ['stacks/web', 'stacks/web/data', 'stacks/web/data/inner']) execFileSync('btrfs', ['subvolume', 'create', join(disk.path, folder)])
    stack = await world.stack('web', { ...oneService, parent: join(disk.path, 'stacks'), files: { 'data/v': 'good', 'data/inner/w': 'good', 'data/media/film': 'kept' } })
    world.configure({ 'stack:web': { EXCLUDE: 'media' } })
    expect((await world.backup()).exitCode).toBe(0)
  })
  afterAll(async () => {
    await world.remove()
    await disk.remove()
    rmSync(home, { recursive: true, force: true })
  })

  it.each([
    ['whole', []],
    ['written over', ['--overwrite']],
  ] as const)('stay what they are when the stack is recovered %s, and what is in them comes back', async (_how, flags) => {
    for (const file of ['data/v', 'data/inner/w']) writeFileSync(join(stack.directory, file), 'broken')
    writeFileSync(join(stack.directory, 'data/inner/since'), 'since')
    const { exitCode, result } = await world.json<RecoverResult>(['recover', 'web', '--yes', ...flags])
    expect([exitCode, result.stacks[0]?.status, await stack.running()]).toEqual([0, 'ok', ['app']])
    expect(['data/v', 'data/inner/w', 'data/media/film'].map((file) => readFileSync(join(stack.directory, file), 'utf8'))).toEqual(['good', 'good', 'kept'])
    expect(['', 'data', 'data/inner'].map((folder) => statSync(join(stack.directory, folder)).ino)).toEqual([rootNumber, rootNumber, rootNumber])
    const [kept] = result.stacks[0]?.changes?.keptAside ?? []
    expect([existsSync(join(stack.directory, 'data/inner/since')), readFileSync(join(kept ?? '', stack.directory, 'data/inner/since'), 'utf8')]).toEqual([false, 'since'])
  })
})
