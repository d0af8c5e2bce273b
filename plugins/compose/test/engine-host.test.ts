import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { signOfElsewhere, whyElsewhere } from '../src/engine-host.js'
import { useEngine } from './fake-engine.js'
import { good, liveRuntime, liveStack, look } from './runtime-for-test.js'
import { virtualEngine } from './virtual-engine.js'

describe('where an engine runs', () => {
  const system = (rootFolder: string, more: { name?: string; kernel?: string } = {}): { name: string; kernel: string; rootFolder: string } => ({ name: 'Some System', kernel: release(), rootFolder, ...more })

  async function rootFolder(id?: string): Promise<string> {
    const folder = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-root-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    if (id !== undefined) await writeFile(join(folder, 'engine-id'), `${id}\n`)
    return folder
  }

  test('it runs here if its data folder is here and is its own, or does not say whose it is', async () => {
    expect(await whyElsewhere({ engineId: 'aaaa-bbbb-cccc', system: system(await rootFolder('aaaa-bbbb-cccc')) })).toBeNull()
    expect(await whyElsewhere({ engineId: 'aaaa-bbbb-cccc', system: system(await rootFolder()) })).toBeNull()
    expect(await whyElsewhere({ engineId: 'aaaa-bbbb-cccc', system: system('') })).toBeNull()
  })

  test.each(['Docker Desktop', 'Alpine Linux (containerized)', 'OrbStack', ''])('it runs elsewhere if its data folder is not here, whatever its system is called (%j)', async (name) => {
    const why = await whyElsewhere({ engineId: 'aaaa-bbbb-cccc', system: system('/nonexistent/docker', { name, kernel: '6.6.1-linuxkit' }) })
    expect(why).toContain('keeps its data in /nonexistent/docker, which is not on this host')
    expect(why).toContain('6.6.1-linuxkit')
    expect(why).toContain(name || 'of unknown name')
  })

  test('it runs elsewhere if the folder of that path is the one of another engine', async () => {
    const folder = await rootFolder('dddd-eeee-ffff')
    expect(await whyElsewhere({ engineId: 'aaaa-bbbb-cccc', system: system(folder) })).toContain(`${folder} of this host belongs to another engine`)
  })
})

test('another kernel is a sign that the engine runs elsewhere, and no proof; the same kernel in other words is no sign', async () => {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-kernel-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const engine = (kernel: string): Parameters<typeof whyElsewhere>[0] => ({ engineId: 'aaaa-bbbb', system: { name: 'Some VM', kernel, rootFolder: folder } })
  expect([await whyElsewhere(engine('1.2.3-vm')), await signOfElsewhere(engine('1.2.3-vm'))]).toEqual([null, expect.stringContaining('the engine (Some VM) runs with the kernel 1.2.3-vm')])
  expect([await signOfElsewhere(engine(release())), await signOfElsewhere(engine(''))]).toEqual([null, null])
})

test('a volume whose folder is gone is named with the engine that has it', async () => {
  const stack = await liveStack({ isUp: false, compose: { services: { app: service({ volumes: ['named:/named'] }) }, volumes: { named: {} } } })
  await stack.compose('create')
  const folder = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_named`)
  await rename(folder, `${folder}-away`)
  try {
    const { runtime } = await liveRuntime()
    const sources = good(await runtime.sources(await look(runtime, stack.directory)))
    expect(sources.find(({ volume }) => volume !== '')).toMatchObject({ canBeRead: false, isNotOnHost: true, whyNot: expect.stringMatching(/^the engine \(.+\) has it, and this host has no such folder$/) })
  } finally {
    await rename(`${folder}-away`, folder)
  }
})

test('what an engine in a virtual machine keeps is named as not on this host, and so are bind mounts that only the machine has', async () => {
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-only-in-vm-'))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  const stack = await liveStack({ compose: { services: { app: service({ volumes: ['named:/named', './inner:/inner', './shared:/shared', `${outside}:/outside`, { type: 'volume', target: '/anonymous' }] }) }, volumes: { named: {} } } })
  await mkdir(join(stack.directory, 'shared'), { recursive: true })
  useEngine(await virtualEngine({ name: 'Docker Desktop', rootFolder: '/nonexistent/vm', hidden: [outside, join(stack.directory, 'inner')] }))
  const { runtime } = await liveRuntime()
  const sources = good(await runtime.sources(await look(runtime, stack.directory)))
  const absent = sources.filter(({ isNotOnHost }) => isNotOnHost === true)
  expect(absent.map(({ kind, path }) => `${kind} ${path.startsWith('/nonexistent/vm') ? 'in the machine' : path}`).sort()).toEqual(['anonymous-volume in the machine', 'bind in the machine', 'bind in the machine', 'named-volume in the machine'])
  for (const { canBeRead, whyNot } of absent) expect([canBeRead, whyNot]).toEqual([false, expect.stringContaining('the engine (Docker Desktop) keeps its data in /nonexistent/vm, which is not on this host')])
  expect(sources.find(({ kind }) => kind === 'directory')).toMatchObject({ canBeRead: true })
  const capsule = good(await runtime.describe(await look(runtime, stack.directory)))
  const { problems } = good(await runtime.canRebuild(capsule, { directory: stack.directory, services: [], images: 'local', allowHostVolumes: false, noStart: false, restoredPaths: [stack.directory, outside] }))
  expect(problems.filter(({ code }) => code === 'engine-elsewhere')).toMatchObject([{ severity: 'error', message: expect.stringContaining(`${stack.project}_named`) }])
  const findings = await runtime.examine()
  expect(findings.find(({ id }) => id === 'compose.engine-host')).toMatchObject({ status: 'warning', found: expect.stringContaining('Docker Desktop'), fix: expect.stringContaining('Run stackbk where the engine runs') })
})

test('an engine of this host is not named, and a bind mount that is gone from it stays what it was', async () => {
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'stackbk-gone-'))
  const stack = await liveStack({ compose: { services: { app: service({ volumes: ['named:/named', `${outside}:/outside`] }) }, volumes: { named: {} } } })
  await rm(outside, { recursive: true })
  expect(existsSync(outside)).toBe(false)
  const { runtime } = await liveRuntime()
  const sources = good(await runtime.sources(await look(runtime, stack.directory)))
  expect(sources.filter(({ isNotOnHost }) => isNotOnHost === true)).toEqual([])
  expect(sources.find(({ path }) => path === outside)).toMatchObject({ canBeRead: false, whyNot: 'it is not there' })
  expect((await runtime.examine()).filter(({ id }) => id === 'compose.engine-host')).toEqual([])
})
