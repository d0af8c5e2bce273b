import type { Engine, Snapshot } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { machineId } from '../../../../src/host/machine-id.js'
import { findOtherMachines } from '../../../../src/stages/backup/other-machines.js'
import type { OpenRepository } from '../../../../src/stages/repository.js'
import { SnapshotRecord } from '../../../../src/stages/snapshot-record.js'
import { at, configuration, failure, ok, partly, snapshotOf, testRun } from '../fixtures.js'

const own = machineId({ root: '/nonexistent' })
const another = 'abcdef0123456789'

// A system without a machine ID cannot tell, and finds nothing.
describe.skipIf(own === null)('two machines of one hostname', () => {
  const run = testRun
  const capsulePath = '/state/capsules/web/stackbk-capsule.json'

  /** A repository in which these snapshots of `web` are, by ID and machine, and that another run has opened before with `made`. */
  function repositoryOf(snapshots: Readonly<Record<string, string | undefined>>, { made = [] as readonly string[], isReadable = true } = {}) {
    const reads: string[] = []
    const engine = partly<Engine>('engine', {
      read: (id) => {
        reads.push(id)
        return Promise.resolve(isReadable ? ok(Buffer.from(JSON.stringify({ schemaVersion: 1, machineId: snapshots[id] }))) : failure('failed'))
      },
    })
    const list: Snapshot[] = Object.keys(snapshots).map((id) => snapshotOf(id, { paths: [capsulePath] }))
    const record = new SnapshotRecord(at('repositories'), 'id')
    record.noteSeen(made)
    record.settle(list.map(({ id }) => id))
    const repository: OpenRepository = { engine, repository: { id: 'id', location: 'place', path: null }, snapshots: list, record, isNew: false }
    return { repository, reads }
  }

  it('are noticed by a snapshot that appeared and that this one did not make, and named with the way out', async () => {
    const { repository, reads } = repositoryOf({ mine: own ?? '', theirs: another }, { made: ['mine'] })
    const { stacks, problems } = await findOtherMachines(run(), repository, ['web', 'mail'])
    expect([[...stacks], reads]).toEqual([['web'], ['theirs']])
    expect(problems).toMatchObject([{ severity: 'error', code: 'same-hostname', message: expect.stringContaining(another) as string, fix: expect.stringMatching(/HOSTNAME.*FORMER_MACHINES=abcdef0123456789/) as string }])
    // Each capsule is read once.
    await findOtherMachines(run(), repositoryOf({ mine: own ?? '', theirs: another }).repository, ['web'])
    expect(reads).toEqual(['theirs'])
  })

  it('are noticed too where they have no stack in common: the deletions of one can be proven to the other then', async () => {
    const { repository } = repositoryOf({ theirs: another })
    const { problems } = await findOtherMachines(run(), repository, ['mail'])
    expect(problems).toMatchObject([{ severity: 'warning', code: 'same-hostname', message: expect.stringMatching(new RegExp(`${another}.*web of it`)) as string }])
    expect(repository.record.ownerOf('theirs')).toMatch(new RegExp(`/${another}$`))
  })

  it('are not noticed where all is of this machine: by its own runs, by a killed one, by a lost state folder, by a version that recorded none', async () => {
    expect((await findOtherMachines(run(), repositoryOf({ a: own ?? '' }, { made: ['a'] }).repository, ['web'])).problems).toEqual([])
    const lost = repositoryOf({ b: own ?? '', c: own ?? '', d: undefined, e: own ?? '', f: own ?? '' })
    expect((await findOtherMachines(run(), lost.repository, ['web'])).problems).toEqual([])
    expect(lost.reads).toEqual(['d', 'e', 'f'])
    expect(lost.repository.record.isOfUnknownMachine('b')).toBe(false)
  })

  it('count as one where the configuration says that this one has replaced the other', async () => {
    const settings = configuration(`FORMER_MACHINES=${another}\n`)
    const { stacks, problems } = await findOtherMachines(run({ configuration: settings }), repositoryOf({ theirs: another }).repository, ['web'])
    expect([[...stacks], problems]).toEqual([[], []])
  })

  it('are asked for again by the next run where a capsule could not be read', async () => {
    const { repository } = repositoryOf({ theirs: another }, { isReadable: false })
    await findOtherMachines(run(), repository, ['web'])
    expect(repository.record.isOfUnknownMachine('theirs')).toBe(true)
  })
})
