import type { Exec, ToolRequest, ToolResult } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { expect, onTestFinished, test } from 'vitest'

import { docker, service } from '../../../test/fixtures/compose-stack.js'
import { composeRuntime } from '../src/index.js'
import providers from '../src/hooks/providers.js'
import { compareVersions } from '../src/readiness.js'
import { startFakeEngine, useEngine } from './fake-engine.js'
import { good, liveRuntime, liveStack } from './runtime-for-test.js'

/** The real tools, but for the answers given here by the first words of the command; `compose` goes without saying where its plugin is called by itself. */
async function runtimeWith(answers: Readonly<Record<string, string>>): ReturnType<typeof composeRuntime.create> {
  const real = createExec()
  const run = (request: ToolRequest): Promise<ToolResult> => {
    const found = Object.entries(answers).find(([start]) => request.args.join(' ').startsWith(start) || `compose ${request.args.join(' ')}`.startsWith(start))
    if (found === undefined) return real.run(request)
    return Promise.resolve({ outcome: 'exited', exitCode: 0, endedBySignal: null, stdout: found[1], stdoutBytes: new Uint8Array(), stderr: '', durationMs: 0, wasKilled: false, startError: null })
  }
  const exec: Exec = { run, start: (request) => real.start(request) }
  return composeRuntime.create({}, { signal: new AbortController().signal, log: () => {}, exec, dryRun: false, cacheDir: '/nonexistent' })
}

test('the hook gives the one descriptor, whose only setting names the variables that Compose gets', async () => {
  const given = await (providers as unknown as () => Promise<unknown[]>)()
  expect(given).toEqual([composeRuntime])
  expect(composeRuntime).toMatchObject({ kind: 'runtime', id: 'compose', apiVersion: 1, settings: [{ section: 'docker', key: 'COMPOSE_ENV' }] })
})

test('an engine or a Compose that is too old is named with what it is and what is needed', async () => {
  const old = await startFakeEngine({ apiVersion: '1.41', answers: { '/info': { ID: 'x', ServerVersion: '20.10.24' } } })
  useEngine(old.socketPath)
  const oldEngine = await runtimeWith({})
  expect(await oldEngine.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-too-old', message: 'The Docker engine is version 20.10.24, and 23 or newer is needed' } })
  useEngine(null)
  const oldCompose = await runtimeWith({ 'compose version': '2.19.1\n' })
  expect(await oldCompose.ready()).toMatchObject({ ok: false, failure: { kind: 'tool-too-old', message: 'Docker Compose is version 2.19.1, and 2.20 or newer is needed' } })
  const findings = await oldCompose.examine()
  expect(findings.filter((finding) => finding.status === 'failed')).toMatchObject([{ id: 'compose.version', found: '2.19.1', isToolTrouble: true }])
})

test('an engine on another host is refused as a configuration (exit 2)', async () => {
  const before = process.env['DOCKER_HOST']
  onTestFinished(() => {
    if (before === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = before
  })
  for (const endpoint of ['tcp://192.0.2.1:2375', 'ssh://root:secret@example.com']) {
    process.env['DOCKER_HOST'] = endpoint
    const { runtime } = await liveRuntime()
    const answer = await runtime.identity()
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'configuration' } })
    expect(JSON.stringify(answer)).not.toContain('secret')
  }
})

test('versions are compared by their numbers', () => {
  expect(compareVersions('2.40.3-3', '2.20')).toBeGreaterThan(0)
  expect(compareVersions('v2.9', '2.20')).toBeLessThan(0)
  expect(compareVersions('23.0.0', '23')).toBe(0)
  expect(compareVersions('dev', '23')).toBeGreaterThan(0)
})

test('containers, networks and volumes are removed by the label of a rehearsal, and nothing else', async () => {
  const { runtime } = await liveRuntime()
  const scratch = `test-${Date.now()}`
  const stack = await liveStack({ compose: { services: { web: service() } } })
  await docker('network', 'create', '--label', `stackbk.scratch=${scratch}`, `${scratch}-network`)
  await docker('volume', 'create', '--label', `stackbk.scratch=${scratch}`, `${scratch}-volume`)
  await docker('run', '-d', '--label', `stackbk.scratch=${scratch}`, '--network', `${scratch}-network`, '-v', `${scratch}-volume:/x`, 'stackbk-test/busybox:1', 'sleep', '1000')
  await docker('volume', 'create', '--label', `stackbk.scratch=${scratch}-other`, `${scratch}-other`)
  onTestFinished(async () => void (await docker('volume', 'rm', `${scratch}-other`)))
  expect(good(await runtime.removeByLabel(scratch))).toEqual({ removed: 3 })
  expect(good(await runtime.removeByLabel(scratch))).toEqual({ removed: 0 })
  expect(await stack.running()).toEqual(['web'])
  expect(await docker('volume', 'ls', '-q', '--filter', `label=stackbk.scratch=${scratch}-other`)).toBe(`${scratch}-other`)
})
