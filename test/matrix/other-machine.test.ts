import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { RestoreAndRecoverResult } from '../../src/stages/restore-and-recover.js'
import { testImage } from '../fixtures/busybox-image.js'
import { docker, removeProject } from '../fixtures/compose-stack.js'
import { canStartEngines, startPrivateEngine, type PrivateEngine } from '../fixtures/private-engine.js'
import { makeWorld, type RunOptions, type World, type WorldStack } from '../fixtures/world.js'
import { matrixOptions } from './options.js'

const execute = promisify(execFile)
const stackCount = 10

/** An image of one file, which each machine can build without a registry. */
const dockerfile = 'FROM scratch\nCOPY busybox /bin/busybox\n'
const command = ['/bin/busybox', 'sh', '-c', "trap 'exit 0' TERM; /bin/busybox sleep 1000000 & wait"]

/** The way of a whole host to another machine: another layout, another engine, and half of the images are not there. */
describe.runIf(matrixOptions().isFull && canStartEngines)('another machine', () => {
  let world: World
  let engine: PrivateEngine | null = null
  const stacks: WorldStack[] = []
  const isBuilt = (number: number): boolean => number % 2 === 0

  /** What `docker compose build` does, for which the Compose of a distribution may lack its builder. */
  const build = (stack: WorldStack, directory: string): Promise<unknown> => execute('docker', ['build', '--tag', `${stack.project}-app`, directory], { env: { ...process.env, DOCKER_BUILDKIT: '0' } })

  beforeAll(async () => {
    world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false } } })
    for (let number = 1; number <= stackCount; number++) {
      const app = { ...(isBuilt(number) ? { build: '.' } : { image: testImage }), command, network_mode: 'none', volumes: ['./data:/data', 'rows:/rows'] }
      const stack = await world.stack(`app${number}`, { isUp: false, model: { services: { app }, volumes: { rows: {} } }, files: { 'data/file': `file of ${number}`, ...(isBuilt(number) ? { Dockerfile: dockerfile } : {}) } })
      if (isBuilt(number)) copyFileSync('/bin/busybox', join(stack.directory, 'busybox'))
      if (isBuilt(number)) await build(stack, stack.directory)
      await stack.up()
      writeFileSync(join(await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_rows`), 'row'), `row of ${number}`)
      stacks.push(stack)
    }
    expect((await world.backup()).exitCode).toBe(0)
    expect((await world.sync()).exitCode).toBe(0)
    for (const { project } of stacks) await removeProject(project)
  }, 600_000)
  afterAll(async () => {
    await engine?.remove()
    await world.remove()
    for (const { project } of stacks) await docker('rmi', '--force', `${project}-app`).catch(() => {})
  }, 300_000)

  it('gets all stacks of a host into its own stacks folder, and runs them once what cannot be pulled is built', async () => {
    engine = await startPrivateEngine()
    await execute('sh', ['-c', `docker --host unix:///var/run/docker.sock save ${testImage} | docker load`])
    // Nothing of the first machine is here. The second one's folders have other names, on the same disk.
    rmSync(world.stacks, { recursive: true })
    const [folder, other] = [join(world.root, 'srv', 'apps'), join(world.root, 'second')]
    for (const path of [folder, other]) mkdirSync(path, { recursive: true })
    writeFileSync(join(other, 'dirlist'), '')
    world.configure({ docker: { DOCKER_STACKS_DIR: folder, DIRLIST: join(other, 'dirlist') }, local_backup: { RESTIC_REPOSITORY: join(other, 'repository') } })
    const machine: RunOptions = { environment: { DOCKER_HOST: engine.host, STACKBK_STATE_DIR: join(other, 'state') } }

    const preview = await world.run(['restore', '--recover', '--all', '--dry-run'], machine)
    console.log(`${preview.stdout}${preview.stderr}`)
    const recovered = await world.run(['restore', '--recover', '--all', '--yes'], machine)
    console.log(`exit code ${recovered.exitCode}\n${recovered.stdout}${recovered.stderr}`)
    for (const [index, stack] of stacks.entries()) {
      if (!isBuilt(index + 1)) continue
      expect(`${recovered.stdout}${recovered.stderr}`).toMatch(new RegExp(`docker compose -p ${stack.project} build app`))
      await build(stack, join(folder, stack.name))
    }
    const { exitCode, result } = await world.json<RestoreAndRecoverResult>(['resume'], machine)
    console.log(`resume: exit code ${exitCode}\n${JSON.stringify(result, null, 2)}`)
    expect(exitCode).toBe(0)

    for (const [index, stack] of stacks.entries()) {
      const directory = join(folder, stack.name)
      expect(readFileSync(join(directory, 'data', 'file'), 'utf8')).toBe(`file of ${index + 1}`)
      expect(readFileSync(join(await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_rows`), 'row'), 'utf8')).toBe(`row of ${index + 1}`)
      const running = await docker('ps', '--filter', `label=com.docker.compose.project=${stack.project}`, '--format', '{{.State}} {{.Label "com.docker.compose.project.working_dir"}}')
      expect(running).toBe(`running ${directory}`)
    }
    expect(existsSync(world.stacks)).toBe(false)
    expect((await execute('find', [folder, '-name', '.stackbk-recover-*'])).stdout).toBe('')
    const night = await world.json(['backup'], machine)
    expect(night.exitCode, JSON.stringify(night.result)).toBe(0)
  }, 900_000)
})
