import type { Snapshot } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { chooseSnapshots, type ChoiceRequest } from '../../../../src/stages/recover/choice.js'
import { errorOf } from '../fixtures.js'

const snapshot = (id: string, stack: string, more: { host?: string; marks?: string[] } = {}): Snapshot => ({
  id, time: '2026-01-01T00:00:00.000Z', host: more.host ?? 'here', paths: [`/stacks/${stack}`], tags: ['stackbk', `stack:${stack}`, ...(more.marks ?? [])], parent: null, tree: '', bytes: 1, files: 1,
})
const request = (snapshots: Snapshot[], more: Partial<ChoiceRequest> = {}): ChoiceRequest => ({ snapshots, names: [], all: false, snapshotId: undefined, host: undefined, ownHost: 'here', switchedOff: [], ...more })
const idsOf = (snapshots: Snapshot[], more: Partial<ChoiceRequest>): string[] => chooseSnapshots(request(snapshots, more)).chosen.map(({ stack, snapshot: { id } }) => `${stack} ${id}`)

describe('the snapshot of a stack', () => {
  it('is the latest whole one', () => {
    const snapshots = [snapshot('a1', 'web'), snapshot('a2', 'web'), snapshot('a3', 'web', { marks: ['live'] }), snapshot('a4', 'web', { marks: ['partial'] }), snapshot('a5', 'web', { marks: ['shrunk'] })]
    expect(idsOf(snapshots, { names: ['web'] })).toEqual(['web a2'])
  })

  it('is the one that is asked for, whatever its marks, with a warning', () => {
    const choice = chooseSnapshots(request([snapshot('a1', 'web'), snapshot('b2', 'web', { marks: ['live'] })], { snapshotId: 'B2' }))
    expect(choice.chosen.map(({ snapshot: { id } }) => id)).toEqual(['b2'])
    expect(choice.problems).toMatchObject([{ severity: 'warning', code: 'not-whole' }])
  })

  it.each([
    ['of another stack', { names: ['shop'], snapshotId: 'a1' }, 'snapshot-of-another'],
    ['that is not there', { snapshotId: 'ff' }, 'unknown-snapshot'],
    ['that may be two', { snapshotId: 'a' }, 'unknown-snapshot'],
    ['for all', { all: true, snapshotId: 'a1' }, 'snapshot-of-another'],
  ])('%s is refused', async (_, more, code) => {
    expect(await errorOf(() => chooseSnapshots(request([snapshot('a1', 'web'), snapshot('a2', 'web')], more)))).toMatchObject({ kind: 'usage', code })
  })

  it('is the one that was made last where its time says that it is older, with a warning that names both', () => {
    const snapshots = [snapshot('late', 'web'), snapshot('early', 'web'), snapshot('b1', 'shop')]
    const choice = chooseSnapshots(request(snapshots, { all: true, madeAfter: ({ id }) => (id === 'early' ? (snapshots[0] ?? null) : null) }))
    expect(choice.chosen.map(({ stack, snapshot: { id } }) => `${stack} ${id}`)).toEqual(['shop b1', 'web late'])
    expect(choice.problems).toMatchObject([{ severity: 'warning', code: 'dated-too-early', stack: 'web', message: expect.stringMatching(/late .* was made last .* before early/) as string, fix: expect.stringContaining('--snapshot early') as string }])
  })

  it('is the newest that is only live where there is no good one, with a warning that says so', () => {
    const snapshots = [snapshot('a1', 'web', { marks: ['live'] }), snapshot('a2', 'web', { marks: ['live'] }), snapshot('a3', 'web', { marks: ['live', 'partial'] }), snapshot('a4', 'web', { marks: ['shrunk'] }), snapshot('b1', 'shop')]
    const choice = chooseSnapshots(request(snapshots, { all: true }))
    expect(choice.chosen.map(({ stack, snapshot: { id } }) => `${stack} ${id}`)).toEqual(['shop b1', 'web a2'])
    expect([choice.lacking, choice.problems]).toMatchObject([[], [{ severity: 'warning', code: 'live-snapshot', stack: 'web', message: expect.stringContaining('a2') as string }]])
  })

  it('is the newest good one, however old, and a newer one that is marked is named with the way to it', () => {
    const choice = chooseSnapshots(request([snapshot('a1', 'web'), snapshot('a2', 'web', { marks: ['live'] })], { names: ['web'] }))
    expect(choice.chosen.map(({ snapshot: { id } }) => id)).toEqual(['a1'])
    expect(choice.problems).toMatchObject([{ severity: 'warning', code: 'newer-marked', fix: expect.stringContaining('--snapshot a2') as string }])
  })

  it('is missing where all are partial or shrunk: the newest of those is named, other stacks are recovered', () => {
    const choice = chooseSnapshots(request([snapshot('a1', 'web', { marks: ['shrunk'] }), snapshot('a2', 'web', { marks: ['partial'] }), snapshot('b1', 'shop')], { all: true }))
    expect([choice.lacking, choice.chosen.map(({ stack }) => stack), choice.marked?.get('web')?.id]).toEqual([['web'], ['shop'], 'a2'])
  })
})

describe('all', () => {
  it('leaves out what the dirlist has switched off, and says so', () => {
    const choice = chooseSnapshots(request([snapshot('a1', 'web'), snapshot('b1', 'old')], { all: true, switchedOff: ['old'] }))
    expect(choice.chosen.map(({ stack }) => stack)).toEqual(['web'])
    expect(choice.problems).toMatchObject([{ code: 'switched-off', stack: 'old' }])
  })

  it('and names contradict each other; neither is no choice', async () => {
    expect(await errorOf(() => chooseSnapshots(request([snapshot('a1', 'web')], { all: true, names: ['web'] })))).toMatchObject({ kind: 'usage', code: 'names-and-all' })
    expect(await errorOf(() => chooseSnapshots(request([snapshot('a1', 'web')])))).toMatchObject({ kind: 'usage', code: 'nothing-chosen' })
  })
})

describe('the host', () => {
  const other = [snapshot('a1', 'web', { host: 'dead' })]

  it('is this one, and else the only one in the repository, with a warning', () => {
    expect(idsOf([snapshot('a1', 'web'), ...other], { names: ['web'] })).toEqual(['web a1'])
    const choice = chooseSnapshots(request(other, { names: ['web'] }))
    expect([choice.host, choice.problems[0]?.code]).toEqual(['dead', 'other-host'])
  })

  it('is never guessed: several are listed', async () => {
    expect(await errorOf(() => chooseSnapshots(request([...other, snapshot('a2', 'web', { host: 'older' })], { names: ['web'] })))).toMatchObject({ kind: 'usage', code: 'several-hosts', fix: expect.stringContaining('dead, older') as string })
  })

  it('that is asked for has to be there; the nearest name is given', async () => {
    expect(await errorOf(() => chooseSnapshots(request(other, { names: ['web'], host: 'daed' })))).toMatchObject({ code: 'unknown-host', fix: expect.stringContaining('Did you mean dead') as string })
  })
})

it('a stack that nobody knows is told with the nearest name', async () => {
  expect(await errorOf(() => chooseSnapshots(request([snapshot('a1', 'gitea')], { names: ['gitae'] })))).toMatchObject({ code: 'unknown-stack', fix: expect.stringContaining('gitea') as string })
})
