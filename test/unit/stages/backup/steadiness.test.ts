import type { ContainerState, Runtime, StackState } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { emptyDraft, type StackDraft } from '../../../../src/stages/backup/backup-result.js'
import { confirmSteady } from '../../../../src/stages/backup/steadiness.js'
import { container, failure, ok, partly, stackAt, stateOf } from '../fixtures.js'

const at = new Date('2026-01-02T00:00:00.000Z')
const later = '2026-01-02T00:01:00.000Z'
const earlier = '2026-01-01T12:00:00.000Z'

async function lookedAt(before: readonly ContainerState[], now: readonly ContainerState[] | 'failure' | StackState): Promise<StackDraft> {
  const draft: StackDraft = { ...emptyDraft(stackAt()), status: 'ok', before: stateOf(before), confirmedAt: at }
  const answer = now === 'failure' ? failure('tool-not-answering') : ok(['condition' in now ? now : stateOf(now)])
  await confirmSteady(partly<Runtime>('runtime', { inspect: () => Promise.resolve(answer) }), [draft], 0)
  return draft
}

describe('a stack that came up', () => {
  it('stays so when nothing of it has changed', async () => {
    expect(await lookedAt([container('app', { health: 'healthy' })], [container('app', { startedAt: earlier, health: 'healthy' })])).toMatchObject({ status: 'ok', problems: [] })
  })

  const worse: [string, readonly ContainerState[], readonly ContainerState[], RegExp][] = [
    ['restarts again and again', [container('app')], [container('app', { startedAt: later })], /app restarts/],
    ['crashes and is restarted by its policy', [container('app')], [container('app', { startedAt: later, restartPolicy: 'always', restartCount: 4, lastExitCode: 1 })], /app restarts again and again, last after exit code 1/],
    ['waits for its restart after a crash', [container('app')], [container('app', { condition: 'restarting', startedAt: later, exitCode: 3, restartPolicy: 'always', restartCount: 4, lastExitCode: 3 })], /app restarts/],
    ['is restarted by its policy, after an end that no event showed', [container('app')], [container('app', { startedAt: later, restartPolicy: 'always', restartCount: 1 })], /app restarts/],
    ['did its work and ended with 0 over and over before, and crashes now', [container('app', { condition: 'restarting', exitCode: 0, restartCount: 9, lastExitCode: 0 })], [container('app', { condition: 'restarting', startedAt: later, exitCode: 1, restartCount: 2, lastExitCode: 1 })], /app restarts/],
    ['has ended with an error', [container('app')], [container('app', { condition: 'exited', exitCode: 1, startedAt: earlier })], /app has ended/],
    ['is gone', [container('app')], [], /app has ended/],
    ['has lost a replica', [container('app'), container('app', { id: '2', number: 2 })], [container('app', { startedAt: earlier })], /app has ended/],
    ['became unhealthy', [container('app', { health: 'healthy' })], [container('app', { startedAt: earlier, health: 'unhealthy' })], /app is unhealthy/],
  ]
  it.each(worse)('has failed when a service %s', async (_, before, now, message) => {
    const draft = await lookedAt(before, now)
    expect(draft).toMatchObject({ status: 'failed', problems: [{ code: 'not-steady' }] })
    expect(draft.problems[0]?.message).toMatch(message)
  })

  const fair: [string, readonly ContainerState[], readonly ContainerState[]][] = [
    ['that crashed over and over before the stop', [container('app', { condition: 'restarting' })], [container('app', { condition: 'restarting', startedAt: later })]],
    ['that ended with 0 after its start', [container('job')], [container('job', { condition: 'exited', exitCode: 0, startedAt: earlier })]],
    ['that ends with 0 and is started again by restart: always', [container('app', { restartPolicy: 'always' })], [container('app', { startedAt: later, restartPolicy: 'always', restartCount: 7, lastExitCode: 0 })]],
    ['that waits for its restart after exit code 0', [container('app', { restartPolicy: 'always' })], [container('app', { condition: 'restarting', startedAt: later, exitCode: 0, restartPolicy: 'always', restartCount: 7, lastExitCode: 0 })]],
    ['that was restarted by hand', [container('app')], [container('app', { startedAt: later, restartCount: 0 })]],
    ['that an updater has made again', [container('app')], [container('app', { id: 'new', startedAt: later, restartCount: 0, image: { reference: 'app', id: 'sha256:newer' } })]],
    ['that was unhealthy before', [container('app', { health: 'unhealthy' })], [container('app', { startedAt: earlier, health: 'unhealthy' })]],
  ]
  it.each(fair)('is not blamed for a service %s', async (_, before, now) => {
    expect(await lookedAt(before, now)).toMatchObject({ status: 'ok', problems: [] })
  })

  const recreated = [container('app', { id: 'new', startedAt: later, restartCount: 0 })]

  it('is asked again where an updater is making a container at this moment', async () => {
    const looks = [ok([stateOf([])]), ok([stateOf([])]), ok([stateOf(recreated)])]
    let asked = 0
    const draft: StackDraft = { ...emptyDraft(stackAt()), status: 'ok', before: stateOf([container('app')]), confirmedAt: at }
    await confirmSteady(partly<Runtime>('runtime', { inspect: () => Promise.resolve(looks[Math.min(asked++, 2)]!) }), [draft], 60_000)
    expect([draft.status, draft.problems, asked]).toEqual(['ok', [], 3])
  })

  it('is not waited for where it crashes', async () => {
    let asked = 0
    const draft: StackDraft = { ...emptyDraft(stackAt()), status: 'ok', before: stateOf([container('app')]), confirmedAt: at }
    await confirmSteady(partly<Runtime>('runtime', { inspect: () => (asked++, Promise.resolve(ok([stateOf([container('app', { startedAt: later, restartCount: 2, lastExitCode: 1 })])]))) }), [draft], 60_000)
    expect([draft.status, asked]).toEqual(['failed', 1])
  })

  it.each(['failure' as const, { ...stateOf([]), condition: 'unknown' as const }])('is not called well when nobody could look', async (now) => {
    expect(await lookedAt([container('app')], now)).toMatchObject({ status: 'partial', problems: [{ severity: 'error', code: 'not-steady' }] })
  })
})
