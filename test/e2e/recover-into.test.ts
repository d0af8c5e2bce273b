import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { docker, removeProject, service } from '../fixtures/compose-stack.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

const killer = fileURLToPath(new URL('../fixtures/kill-at-rename.mjs', import.meta.url))

describe('a host with another layout', () => {
  let world: World
  let stack: WorldStack
  let into: string
  let directory: string

  const recover = (...args: string[]): Promise<{ exitCode: number; result: RecoverResult; stderr: string }> => world.json<RecoverResult>(['recover', 'move', ...args])

  const erase = async (): Promise<void> => {
    await removeProject(stack.project)
    for (const folder of [stack.directory, into]) rmSync(folder, { recursive: true, force: true })
  }

  const mounts = async (): Promise<string[]> => {
    const ids = (await docker('ps', '-q', '--filter', `label=com.docker.compose.project=${stack.project}`)).split('\n').filter(Boolean)
    const lines = await docker('inspect', '--format', '{{range .Mounts}}{{.Type}} {{if eq .Type "volume"}}{{.Name}}{{else}}{{.Source}}{{end}} {{.Destination}}\n{{end}}', ...ids)
    return lines.split('\n').filter(Boolean).sort()
  }

  const inVolume = async (): Promise<string> => readFileSync(join(await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_vol`), 'row'), 'utf8')

  /** All of the stack is in the new folder, and runs from there. */
  const expectMoved = async (): Promise<void> => {
    expect(await mounts()).toEqual([`bind ${directory}/data /data`, `bind ${directory}/inner /inner`, `volume ${stack.project}_vol /vol`].sort())
    expect([readFileSync(join(directory, 'data/a'), 'utf8'), readFileSync(join(directory, 'inner/b'), 'utf8'), await inVolume()]).toEqual(['relative', 'absolute', 'volume'])
    expect(existsSync(stack.directory)).toBe(false)
  }

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
    into = join(world.root, 'srv', 'other layout')
    stack = await world.stack('move', { isUp: false, files: { 'data/a': 'relative', 'inner/b': 'absolute' } })
    directory = join(into, 'move')
    // The project keeps its name, wherever the folder is.
    stack.write('compose.yaml', { name: stack.project, services: { app: service({ volumes: ['./data:/data', `${stack.directory}/inner:/inner`] }), db: service({ volumes: ['vol:/vol'] }) }, volumes: { vol: {} } })
    await stack.up()
    writeFileSync(join(await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_vol`), 'row'), 'volume')
    expect((await world.backup(['move'])).exitCode).toBe(0)
    await erase()
  }, 300_000)
  afterAll(() => world.remove())

  it('a dry run shows the old and the new folder, by flag or by the configured stacks folder, and touches nothing', async () => {
    const { exitCode, result } = await recover('--into', into, '-n')
    expect(exitCode, JSON.stringify(result)).toBe(0)
    expect(result.stacks).toMatchObject([{ name: 'move', directory, movedFrom: stack.directory, status: 'ok' }])
    expect(result.problems).toMatchObject([{ severity: 'warning', code: 'old-path', message: expect.stringContaining('compose.yaml of move names a folder that moves') }])
    const shown = await world.run(['recover', '--all', '--into', into, '-n'])
    expect(shown.stdout).toContain(`${stack.directory} -> ${directory}`)
    const other = join(world.root, 'configured')
    mkdirSync(other)
    world.configure({ docker: { DOCKER_STACKS_DIR: other } })
    expect((await recover('-n')).result.stacks).toMatchObject([{ directory: join(other, 'move'), movedFrom: stack.directory }])
    expect((await recover('-n', '--into', dirname(stack.directory))).result.stacks[0]).toMatchObject({ directory: stack.directory })
    world.configure({ docker: { DOCKER_STACKS_DIR: world.stacks } })
    expect((await recover('-n')).result.stacks[0]).toMatchObject({ directory: stack.directory })
    expect([existsSync(into), existsSync(stack.directory), existsSync(join(other, 'move'))]).toEqual([false, false, false])
  }, 300_000)

  it('is wrong usage together with --target, or with a file for a folder', async () => {
    for (const args of [['--into', into, '--target', join(world.root, 'x')], ['--into', world.config]]) {
      const { exitCode, stderr } = await world.run(['recover', 'move', ...args])
      expect([exitCode, stderr.includes('--into')]).toEqual([2, true])
    }
  }, 300_000)

  it('a killed recovery goes on in the new folder, and one that is not comes there at once; the dirlist has it, and the next backup finds nothing to change', async () => {
    await erase()
    world.enable('move')
    const killed = await world.run(['recover', 'move', '--into', into], { environment: { NODE_OPTIONS: `--import ${killer}`, STACKBK_TEST_KILL_AT_RENAME: '4' } })
    expect(killed.exitCode, killed.stdout + killed.stderr).toBe(137)
    const resumed = await world.resume()
    expect(resumed.exitCode, JSON.stringify(resumed.result)).toBe(0)
    await expectMoved()
    const listed = (): string[] => readFileSync(world.dirlist, 'utf8').split('\n').filter(Boolean)
    expect(listed()).toEqual([`${directory}=true`])

    await erase()
    const { exitCode, result, stderr } = await recover('--into', into)
    expect(exitCode, JSON.stringify(result) + stderr).toBe(0)
    expect(result.stacks).toMatchObject([{ directory, movedFrom: stack.directory, status: 'ok', healthy: true }])
    expect(result.problems.map(({ code }) => code).sort()).toEqual(['old-path', 'override-written'])
    await expectMoved()
    expect(listed()).toEqual([`${directory}=true`])
    const backup = await world.backup(['move', '--stop-mode', 'down'])
    expect([backup.exitCode, backup.stack('move')], JSON.stringify(backup.result)).toMatchObject([0, { status: 'ok' }])
    expect(backup.result.problems.filter(({ code }) => code !== 'shrunk')).toEqual([])
    await expectMoved()
  }, 600_000)
})
