import { describe, expect, it } from 'vitest'

import { selectForDrill, withRoom, type DrillSelectionRequest } from '../../../src/stages/drill/selection.js'
import { errorOf, snapshotOf } from './fixtures.js'

const snapshot = (id: string, stack: string, more: object = {}) => snapshotOf(id.padEnd(64, '0'), { host: 'here', tags: ['stackbk', `stack:${stack}`], paths: [`/stacks/${stack}`], ...more })
const listed = (name: string, enabled = true, path = `/stacks/${name}`) => ({ name, path, enabled })

function select(more: Partial<DrillSelectionRequest> = {}) {
  return selectForDrill({ snapshots: [snapshot('1', 'web'), snapshot('2', 'db')], source: 'cloud:/backup', isLocal: false, ownHost: 'here', names: [], listed: [listed('web'), listed('db')], ...more })
}
const codesOf = ({ notDrilled }: ReturnType<typeof select>): string[] => notDrilled.map(({ name, problem }) => `${name} ${problem.code}`)
const chosenOf = ({ chosen }: ReturnType<typeof select>): string[] => chosen.map(({ stack }) => stack)

describe('the stacks of a drill', () => {
  it('are those that are enabled, or named', () => {
    expect(chosenOf(select())).toEqual(['web', 'db'])
    expect(chosenOf(select({ listed: [listed('web', false), listed('db')] }))).toEqual(['db'])
    expect(chosenOf(select({ names: ['web', 'web'] }))).toEqual(['web'])
  })

  it('are all of the copy on a host that knows none of them', () => {
    expect(chosenOf(select({ listed: [] }))).toEqual(['db', 'web'])
  })

  it('leave out an enabled one that has no snapshot, and drill the others', () => {
    const selection = select({ listed: [listed('web'), listed('new'), listed('db')] })
    expect([chosenOf(selection), codesOf(selection)]).toEqual([['web', 'db'], ['new no-snapshot']])
  })

  it('leave out one whose only snapshots are of another host, or marked', () => {
    const snapshots = [snapshot('1', 'web'), snapshot('2', 'db', { host: 'other' }), snapshot('3', 'mail', { tags: ['stackbk', 'stack:mail', 'partial'] })]
    const selection = select({ snapshots, listed: [listed('web'), listed('db'), listed('mail')] })
    expect([chosenOf(selection), codesOf(selection)]).toEqual([['web'], ['db no-snapshot', 'mail no-snapshot']])
  })

  it('leave out a name that no snapshot has where others are named, with what it may have meant', () => {
    const selection = select({ names: ['wbe', 'db', 'new'], listed: [listed('web'), listed('db'), listed('new')] })
    expect([chosenOf(selection), codesOf(selection)]).toEqual([['db'], ['wbe unknown-stack', 'new no-snapshot']])
    expect(selection.notDrilled[0]?.problem.fix).toBe("Did you mean 'web'?")
  })

  it('are refused where nothing that was named has a snapshot', async () => {
    expect(await errorOf(() => select({ names: ['wbe'] }))).toMatchObject({ kind: 'usage', code: 'unknown-stack', fix: "Did you mean 'web'?" })
  })

  it('are drilled by the newest snapshot of a name that two stacks share, which is reported', () => {
    const snapshots = [snapshot('1', 'docker', { paths: ['/a/docker'] }), snapshot('2', 'docker', { paths: ['/b/docker'], time: '2030-01-01T00:00:00Z' }), snapshot('3', 'web')]
    const selection = select({ snapshots: snapshots.toSorted((a, b) => a.time.localeCompare(b.time)), listed: [listed('docker', true, '/a/docker'), listed('docker', true, '/b/docker'), listed('web')] })
    expect(chosenOf(selection)).toEqual(['docker', 'web'])
    expect(selection.problems.filter(({ code }) => code === 'stacks-not-distinct')).toMatchObject([{ severity: 'warning', stack: 'docker', message: expect.stringContaining('/a/docker and /b/docker') as string }])
  })
})

describe('the room for a drill', () => {
  const sized = select({ snapshots: [snapshot('1', 'web', { bytes: 100 }), snapshot('2', 'db', { bytes: 900 })] })
  const room = { folder: '/scratch', copyBytes: 50 }

  it('leaves out a stack that does not fit, and drills the others', () => {
    const selection = withRoom(sized, { ...room, free: 500, keep: false })
    expect([chosenOf(selection), codesOf(selection), selection.notDrilled.map(({ code }) => code)]).toEqual([['web'], ['db not-enough-space'], [7]])
  })

  it('is that of the largest one, or of all where they stay', () => {
    expect(chosenOf(withRoom(sized, { ...room, free: 1000, keep: false }))).toEqual(['web', 'db'])
    expect(chosenOf(withRoom(sized, { ...room, free: 1000, keep: true }))).toEqual(['web'])
  })

  it('is refused where none fits', async () => {
    expect(await errorOf(() => withRoom(sized, { ...room, free: 149, keep: false }))).toMatchObject({ kind: 'guard', code: 'not-enough-space' })
  })
})
