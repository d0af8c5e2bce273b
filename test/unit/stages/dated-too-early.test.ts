import { describe, expect, it } from 'vitest'

import { rememberStack, stackMemories } from '../../../src/stacks/stack-memory.js'
import { madeAfter } from '../../../src/stages/dated-too-early.js'
import { SnapshotRecord } from '../../../src/stages/repository-memory.js'
import { snapshotOf, testRun } from './fixtures.js'

const time = (day: number): string => `2026-01-0${day}T00:00:00.000Z`

/** What was made after `newest`, by the order in which snapshots appeared and by the one that is remembered as the last good one. */
function found({ appeared, last, newest = 'new', marks = [] }: { appeared: readonly string[]; last: string; newest?: string; marks?: readonly string[] }): string | null {
  const run = testRun()
  const record = new SnapshotRecord(run.state.repositories, 'repository')
  for (const id of appeared) record.noteSeen([id])
  rememberStack(run.state.stacks, 'key', { schemaVersion: 1, name: 'web', directory: '/gone/web', lastGood: { id: last, time: time(1), repositoryId: 'repository', files: 1, bytes: 1 }, lastDowntimeMs: null, lastReadyMs: null })
  const snapshots = [snapshotOf('early', { time: time(1), tags: ['stackbk', 'stack:web', ...marks] }), snapshotOf('old', { time: time(2) }), snapshotOf('new', { time: time(3) })]
  return madeAfter(run, { newest: snapshots.find(({ id }) => id === newest) ?? snapshotOf(newest), snapshots, repositoryId: 'repository', memories: stackMemories(run.state.stacks) })?.id ?? null
}

describe('a snapshot that was made last and is dated earlier than another', () => {
  it('is found by what this host remembers of the stack, also where the folder of the stack is gone', () => {
    expect(found({ appeared: ['old', 'new', 'early'], last: 'early' })).toBe('early')
  })

  it.each([
    ['the newest by its time is the last good one', { appeared: ['early', 'old', 'new'], last: 'new' }],
    ['the newest appeared later, such as one of a run that was killed before it remembered it', { appeared: ['early', 'old', 'new'], last: 'early' }],
    ['it is not known when the newest appeared', { appeared: ['old', 'early'], last: 'early' }],
    ['the last good one is gone', { appeared: ['old', 'new', 'gone'], last: 'gone' }],
    ['the last good one was marked since', { appeared: ['old', 'new', 'early'], last: 'early', marks: ['partial'] }],
  ])('is none where %s', (_, given) => {
    expect(found(given)).toBeNull()
  })
})
