import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Engine, IsolatedStack, Runtime } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { drillStack, type StackDrill } from '../../../src/stages/drill/drill-stack.js'
import { ParallelDrills } from '../../../src/stages/drill/parallel.js'
import { at, configuration, failure, ok, partly, snapshotOf, testRun } from './fixtures.js'

const capsulePath = '/state/capsules/web/stackbk-capsule.json'
const healthy: IsolatedStack = { healthy: true, missing: [], containers: [{ service: 'app', name: 'app', id: 'a' }, { service: 'db', name: 'db', id: 'd' }], leftOut: [], unprovenImages: [] }
const unhealthy = (service: string) => ({ service, reason: 'it is unhealthy' })

async function drilled(parts: { isolated?: Partial<IsolatedStack> | ReturnType<typeof failure>; engine?: Partial<Engine>; text?: string; probe?: number; second?: string } = {}): Promise<StackDrill & { readonly probed: readonly string[] }> {
  const probed: string[] = []
  const runtime = partly<Runtime>('runtime', {
    startIsolated: () => Promise.resolve(parts.isolated !== undefined && 'failure' in parts.isolated ? parts.isolated : ok({ ...healthy, ...parts.isolated })),
    isolationNeeds: () => Promise.resolve(ok({ networks: 1, memoryBytes: 0, containersOfUnknownMemory: 0 })),
    runInside: (container) => (probed.push(container), Promise.resolve(ok({ exitCode: parts.probe ?? 0, output: '' }))),
  })
  const contents = ['first', parts.second ?? 'first']
  const engine = partly<Engine>('engine', {
    restore: ({ target }) => {
      const path = join(target, '/stacks/web/file')
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, contents.shift() ?? '', { mode: 0o644 })
      return Promise.resolve(ok({ files: 1, bytes: 5 }))
    },
    eachEntry: (_, onEntry) => (onEntry({ path: '/stacks/web/file', type: 'file', bytes: 5, mode: 0o644, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, modifiedAt: '' }), Promise.resolve(ok(undefined))),
    read: () => Promise.resolve(ok(Buffer.from('{"schemaVersion":1}'))),
    ...parts.engine,
  })
  const run = testRun({ configuration: configuration(parts.text) })
  const result = await drillStack({ run, runtime, engine, label: 'x', folder: at('drill'), fetchMs: 0, parallel: new ParallelDrills({ stacks: 1, freeDisk: 1e9, freeMemory: 1e9, freeNetworks: null }) }, { stack: 'web', snapshot: snapshotOf('1'.repeat(64), { paths: ['/stacks/web', capsulePath] }) })
  return { ...result, probed }
}
const codesOf = ({ problems }: StackDrill): string[] => problems.map(({ code }) => code)

describe('the drill of a stack', () => {
  it('is ok where all of it is healthy and as in the snapshot', async () => {
    expect(await drilled()).toMatchObject({ report: { status: 'ok', healthy: true, filesCompared: 1, mismatches: 0 }, problems: [], code: 0 })
  })

  it('is partial, and not corrupt, where what is not healthy needs another stack', async () => {
    const result = await drilled({ isolated: { healthy: false, missing: [unhealthy('app')], outsideNeeds: [{ service: 'app', reason: 'its health check reaches for other' }] } })
    expect(result).toMatchObject({ report: { status: 'partial', healthy: false, recoveryMs: null }, code: 0 })
    expect(result.problems).toMatchObject([{ severity: 'error', code: 'needs-other-stack', stack: 'web', message: expect.stringContaining('its health check reaches for other') as string }])
  })

  it('is corrupt (6) where another service is not healthy by itself, where files differ, and where a probe of the data fails', async () => {
    const outsideNeeds = [{ service: 'app', reason: 'x' }]
    const both = await drilled({ isolated: { healthy: false, missing: [unhealthy('app'), unhealthy('db')], outsideNeeds } })
    expect([both.report.status, both.code, codesOf(both)]).toEqual(['failed', 6, ['needs-other-stack', 'not-healthy']])
    expect(both.problems[1]?.message).not.toContain('app')
    const differing = await drilled({ second: 'other', isolated: { healthy: false, missing: [unhealthy('app')], outsideNeeds } })
    expect([differing.report.status, differing.code]).toEqual(['failed', 6])
    const probed = await drilled({ isolated: { healthy: false, missing: [unhealthy('app')], outsideNeeds }, text: '[stack:web]\nPROBE=db: check\n', probe: 1 })
    expect([probed.report.status, probed.report.probe, probed.code, probed.probed]).toEqual(['failed', 'failed', 6, ['d']])
  })

  it('asks no probe of a service that lacks what it needs', async () => {
    const result = await drilled({ isolated: { healthy: false, missing: [unhealthy('app')], outsideNeeds: [{ service: 'app', reason: 'x' }] }, text: '[stack:web]\nPROBE=app: check\n', probe: 1 })
    expect([result.report.status, result.report.probe, result.code, result.probed]).toEqual(['partial', 'skipped', 0, []])
    const absent = await drilled({ isolated: { containers: [], unavailable: [{ service: 'app', reason: 'x', fix: '' }] }, text: '[stack:web]\nPROBE=app: check\n', probe: 1 })
    expect([absent.report.status, absent.report.probe, absent.code]).toEqual(['partial', 'skipped', 0])
  })

  it('is partial where a service could not be made', async () => {
    const result = await drilled({ isolated: { unavailable: [{ service: 'app', reason: 'its image is not here', fix: 'docker pull x' }] } })
    expect(result).toMatchObject({ report: { status: 'partial', recoveryMs: null }, code: 0, problems: [{ code: 'service-not-drilled', fix: 'docker pull x' }] })
  })

  it.each([
    ['an engine that does not answer', 'tool-not-answering', 4],
    ['a name that cannot be used', 'usage', 0],
    ['an image that is not to be had', 'not-found', 0],
    ['a way out of the isolation', 'guard', 7],
  ] as const)('fails without calling the data corrupt for %s', async (_, kind, code) => {
    expect(await drilled({ isolated: failure(kind) })).toMatchObject({ report: { status: 'failed' }, code })
  })

  it.each([
    ['cannot be read', failure('failed', { message: 'ciphertext verification failed' }), 6],
    ['is corrupt', failure('corrupt'), 6],
    ['does not fit on the disk', failure('failed', { message: 'x', toolOutput: 'write /x: no space left on device' }), 0],
    ['is not looked at, since the tool is missing', failure('tool-missing'), 4],
  ])('fails where the data %s', async (_, answer, code) => {
    expect(await drilled({ engine: { restore: () => Promise.resolve(answer) } })).toMatchObject({ report: { status: 'failed' }, code })
  })
})
