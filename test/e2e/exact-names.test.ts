import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { DrillResult } from '../../src/stages/drill/drill-result.js'
import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { docker } from '../fixtures/compose-stack.js'
import { removeKept } from '../fixtures/kept-aside.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

const bytesOf = (...parts: (string | number | Buffer)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))))

/** Names that read alike in UTF-8, and one that spans lines. */
const names = [bytesOf('M', 0xfc, 'ller'), bytesOf('M', 0xf6, 'ller'), bytesOf('M\ufffdller'), bytesOf('a\n', 0xff), bytesOf('d', 0xfc, '/in')]
const since = bytesOf('M', 0xe9, 'ller')

describe.runIf(process.getuid?.() === 0)('files whose names are not UTF-8', () => {
  let world: World
  let stack: WorldStack
  let folders: readonly string[]

  const at = (folder: string, name: Buffer): Buffer => bytesOf(`${folder}/`, name)
  const put = (text: string): void => {
    for (const folder of folders) {
      mkdirSync(at(folder, bytesOf('d', 0xfc)), { recursive: true })
      for (const name of names) writeFileSync(at(folder, name), text)
    }
  }
  const read = (): string[] => folders.flatMap((folder) => names.map((name) => readFileSync(at(folder, name), 'utf8')))
  const all = (text: string): string[] => folders.flatMap(() => names.map(() => text))
  const filesBelow = (folder: Buffer): Buffer[] => readdirSync(folder, { encoding: 'buffer', withFileTypes: true }).flatMap((entry) => {
    const path = bytesOf(folder, '/', entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, VERIFICATION_DEPTH: 'files' } } })
    stack = await world.stack('names')
    folders = [join(stack.directory, 'data'), await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_vol`)]
    mkdirSync(folders[0]!, { recursive: true })
    put('good')
    const { exitCode, result } = await world.backup(['names'])
    expect([exitCode, result.problems]).toEqual([0, []])
  })
  afterAll(async () => {
    await removeKept(world)
    await world.remove()
  })

  it.each([['whole', []], ['written over', ['--overwrite']]])('come back when the stack is recovered %s, and one that the snapshot does not hold is kept aside and named', async (_, flags) => {
    await removeKept(world)
    put('broken')
    rmSync(at(folders[0]!, names[0]!))
    for (const folder of folders) writeFileSync(at(folder, since), 'since')
    const preview = await world.json<RecoverResult>(['recover', 'names', '-n', ...flags])
    expect(preview.result.stacks[0]?.changes?.removed).toEqual(expect.arrayContaining([`${folders[0]}/M\\xE9ller`]))
    expect(preview.result.stacks[0]?.changes?.removedCount).toBe(2)
    const { exitCode, result, stderr } = await world.json<RecoverResult>(['recover', 'names', '--yes', ...flags])
    expect(exitCode, `${stderr} ${JSON.stringify(result)}`).toBe(0)
    expect(read()).toEqual(all('good'))
    for (const folder of folders) expect(existsSync(at(folder, since))).toBe(false)
    const kept = (result.stacks[0]?.changes?.keptAside ?? []).flatMap((folder) => filesBelow(Buffer.from(folder)))
    expect(kept.map((path) => [path.subarray(-6).equals(since), readFileSync(path, 'utf8')])).toEqual([[true, 'since'], [true, 'since']])
    expect(await stack.running()).toEqual(['app', 'db'])
  })

  it('are compared and removed again by a drill', async () => {
    const { exitCode, result } = await world.json<DrillResult>(['drill', 'names', '--local'])
    expect(exitCode, JSON.stringify(result.problems)).toBe(0)
    expect(result.stacks).toMatchObject([{ status: 'ok', mismatches: 0 }])
    expect(result.stacks[0]?.filesCompared).toBeGreaterThanOrEqual(10)
    expect(result.problems.filter(({ code }) => code === 'drill-left')).toEqual([])
    expect(readdirSync(join(world.state, 'cache')).filter((name) => name.startsWith('stackbk-drill'))).toEqual([])
  })
})
