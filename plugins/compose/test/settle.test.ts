import { answered, failed, type StackState } from '@stackbk/contract'
import { expect, test } from 'vitest'

import { readContainer, toState } from '../src/container.js'
import { isSettled, isStopPending, waitUntilSettled } from '../src/settle.js'
import type { Tools } from '../src/tools.js'

const id = 'a'.repeat(64)
const description = { Id: id, Name: '/web-db-1', Config: { StopTimeout: 1, Labels: {} }, State: { Status: 'running', StartedAt: '2026-01-01T00:00:00Z' } }

/** Tools of an engine on which one container runs and goes on running. */
function toolsOf({ told, isComplete }: { readonly told: boolean; readonly isComplete: boolean }): Tools {
  const events = told ? [{ at: Date.parse('2026-01-02T00:00:01Z'), action: 'kill', id, name: 'web-db-1', attributes: { signal: '15' } }] : []
  return {
    docker: { inspect: async () => answered({ found: [description] }) },
    events: { listen: async () => failed({ kind: 'failed', message: 'no events' }), remembered: async () => answered({ events, isComplete }) },
    graces: new Map(),
    log: () => {},
  } as unknown as Tools
}

const state: StackState = {
  schemaVersion: 1,
  directory: '/stacks/web',
  condition: 'running',
  failure: null,
  projects: [{ name: 'web', workingDirectory: '/stacks/web', configFiles: [], environmentFiles: [], containers: [toState(readContainer(description))] }],
  dependents: [],
  takenAt: '2026-01-02T00:00:00.000Z',
}

test('a container that was told to stop and does not is no settled one, and its running counts for nothing', async () => {
  const tools = toolsOf({ told: true, isComplete: true })
  expect(await waitUntilSettled(tools, state, { timeoutMs: 300 })).toMatchObject({ ok: false, failure: { kind: 'timed-out' } })
  expect([isSettled(tools, state), isStopPending(tools, id)]).toEqual([false, true])
})

test('a container that was told nothing is not waited for, as far as the engine remembers all', async () => {
  const tools = toolsOf({ told: false, isComplete: true })
  const begun = performance.now()
  expect(await waitUntilSettled(tools, state, { timeoutMs: 60_000, graceSeconds: 600 })).toMatchObject({ ok: true })
  expect(performance.now() - begun).toBeLessThan(5_000)
  expect([isSettled(tools, state), isStopPending(tools, id)]).toEqual([true, false])
})

test('where the engine may have forgotten what it was told, the grace that was given is waited for, and not only that of the container', async () => {
  const tools = toolsOf({ told: false, isComplete: false })
  const begun = performance.now()
  expect(await waitUntilSettled(tools, state, { timeoutMs: 60_000, graceSeconds: 3 })).toMatchObject({ ok: true })
  expect(performance.now() - begun).toBeGreaterThan(3_000)
})

test.each([
  ['its own shorter one', { isStopGraceExplicit: true }, { given: 90, least: 1, most: 60 }],
  ['the given one where it asks for none', { isStopGraceExplicit: false }, { given: 3, least: 3, most: 60 }],
])('the grace that is waited for is %s, as the state says', async (_, grace, { given, least, most }) => {
  const tools = toolsOf({ told: false, isComplete: false })
  const container = { ...toState(readContainer(description)), ...grace }
  const begun = performance.now()
  expect(await waitUntilSettled(tools, { ...state, projects: [{ ...state.projects[0]!, containers: [container] }] }, { timeoutMs: 120_000, graceSeconds: given })).toMatchObject({ ok: true })
  const waitedMs = performance.now() - begun
  // The margin that the engine has for its kill is on top.
  expect(waitedMs).toBeGreaterThanOrEqual(least * 1000 + 4_900)
  expect(waitedMs).toBeLessThan(most * 1000)
})
