import { readFileSync } from 'node:fs'

import type { Engine, Snapshot } from '@stackbk/contract'
import { beforeEach, describe, expect, it } from 'vitest'

import { forgottenByOthers, publishForgotten } from '../../../src/stages/forgotten-ledger.js'
import type { OpenRepository } from '../../../src/stages/repository.js'
import { SnapshotRecord } from '../../../src/stages/snapshot-record.js'
import { at, configuration, failure, ok, partly, snapshotOf, testRun, type TestRun } from './fixtures.js'

/** The snapshots of one repository that several hosts use, with the content of their ledgers. */
class SharedRepository {
  snapshots: Snapshot[] = []
  readonly content = new Map<string, string>()
  #made = 0
  isWritable = true

  readonly engine = partly<Engine>('engine', {
    prepare: ({ paths, tags, host }) => ({
      ready: Promise.resolve(this.isWritable ? ok(undefined) : failure('repository-locked')),
      abandon: () => Promise.resolve(),
      take: () => {
        const id = `ledger-${++this.#made}`
        this.snapshots.push(snapshotOf(id, { host, tags, paths }))
        this.content.set(id, readFileSync(paths[0] ?? '', 'utf8'))
        return Promise.resolve(ok({ id, isComplete: true, unreadable: [], bytesAdded: 0, bytesProcessed: 0, filesNew: 0, filesChanged: 0, filesUnmodified: 0 }))
      },
    }),
    forget: (ids) => {
      this.snapshots = this.snapshots.filter(({ id }) => !ids.includes(id))
      return Promise.resolve(ok({ removed: ids }))
    },
    read: (id) => Promise.resolve(this.content.has(id) ? ok(Buffer.from(this.content.get(id) ?? '')) : failure('not-found')),
  })
}

class Host {
  readonly run: TestRun
  readonly #state: string
  readonly #shared: SharedRepository

  constructor(name: string, shared: SharedRepository) {
    const settings = configuration()
    this.run = testRun({ configuration: { ...settings, backup: { ...settings.backup, hostname: name } } })
    this.#state = at(`state-of-${name}`)
    this.#shared = shared
  }

  /** As a run opens the repository. */
  open(): OpenRepository {
    const { engine, snapshots } = this.#shared
    const record = new SnapshotRecord(this.#state, 'id')
    record.settle(snapshots.map(({ id }) => id))
    const own = this.run.configuration.backup.hostname
    for (const { id, host } of snapshots) if (host !== own) record.noteOwner([id], host)
    return { engine, repository: { id: 'id', location: 'place', path: null }, snapshots: [...snapshots], record, isNew: false }
  }

  backUp(id: string): void {
    this.#shared.snapshots.push(snapshotOf(id, { host: this.run.configuration.backup.hostname }))
  }

  async forget(...ids: string[]): Promise<void> {
    const opened = this.open()
    opened.record.willForget(ids)
    this.#shared.snapshots = this.#shared.snapshots.filter(({ id }) => !ids.includes(id))
    opened.record.didForget(ids)
    await publishForgotten(this.run, opened)
  }
}

describe('what other hosts of a repository have forgotten', () => {
  let shared: SharedRepository
  let mirror: Host
  let other: Host
  const proven = async (...ids: string[]) => [...(await forgottenByOthers(mirror.run, mirror.open(), ids))]
  const ledgers = (): Snapshot[] => shared.snapshots.filter(({ tags }) => tags.includes('stackbk-ledger'))

  beforeEach(() => {
    shared = new SharedRepository()
    ;[mirror, other] = [new Host('mirror', shared), new Host('other', shared)]
    mirror.backUp('m1')
    other.backUp('o1')
    other.backUp('o2')
    mirror.open()
  })

  it('is proven by what they wrote into the repository', async () => {
    await other.forget('o1')
    expect(await proven('o1')).toEqual([['o1', 'other']])
  })

  it('is not proven where a snapshot went otherwise: a disk rolled back, files lost, all deleted at once', async () => {
    await other.forget('o1')
    shared.snapshots = shared.snapshots.filter(({ id }) => id !== 'o2')
    expect(await proven('o1', 'o2')).toEqual([['o1', 'other']])
  })

  it('never proves the deletion of what this host made itself', async () => {
    await other.forget('m1')
    expect(await proven('m1')).toEqual([])
  })

  it('includes the ledger that a newer one took the place of, of which there is never more than one', async () => {
    await other.forget('o1')
    const [first] = ledgers()
    mirror.open()
    await other.forget('o2')
    expect(ledgers()).toHaveLength(1)
    expect((await proven('o1', 'o2', first?.id ?? '')).map(([id]) => id)).toEqual(['o1', 'o2', first?.id])
  })

  it('is written only when there is something new, and only where another host uses the repository', async () => {
    await other.forget('o1')
    const before = ledgers()
    expect(await publishForgotten(other.run, other.open())).toEqual([])
    expect(ledgers()).toEqual(before)

    shared.snapshots = shared.snapshots.filter(({ host }) => host === 'other')
    await other.forget('o2')
    expect(ledgers()).toEqual(before)
  })

  it('is written for another machine of the same hostname too', async () => {
    shared.snapshots = [snapshotOf('mine', { host: 'other' }), snapshotOf('theirs', { host: 'other' })]
    const opened = other.open()
    opened.record.didForget(['gone'])
    await publishForgotten(other.run, opened)
    expect(ledgers()).toEqual([])
    opened.record.noteOwner(['theirs'], 'other/abcdef')
    await publishForgotten(other.run, opened)
    expect(ledgers()).toHaveLength(1)
  })

  it('is written by the next run when this one could not write it, which is a warning', async () => {
    shared.isWritable = false
    const opened = other.open()
    opened.record.didForget(['o1'])
    shared.snapshots = shared.snapshots.filter(({ id }) => id !== 'o1')
    expect(await publishForgotten(other.run, opened)).toMatchObject([{ severity: 'warning', code: 'ledger-not-written' }])
    expect(await proven('o1')).toEqual([])
    shared.isWritable = true
    await publishForgotten(other.run, other.open())
    expect(await proven('o1')).toEqual([['o1', 'other']])
  })

  it('is asked for by a host that only mirrors, with an empty ledger of its own', async () => {
    shared.snapshots = shared.snapshots.filter(({ host }) => host === 'other')
    await other.forget('o1')
    expect(ledgers()).toEqual([])
    await publishForgotten(mirror.run, mirror.open())
    await publishForgotten(mirror.run, mirror.open())
    expect(ledgers()).toHaveLength(1)
    await publishForgotten(other.run, other.open())
    expect(await proven('o1')).toEqual([['o1', 'other']])
  })

  it.each([
    ['of another repository', (text: string) => text.replace('"repositoryId":"id"', '"repositoryId":"else"')],
    ['of another host than its snapshot says', (text: string) => text.replace('"host":"other"', '"host":"mirror"')],
    ['cut short', (text: string) => text.slice(0, 40)],
    ['with something else than IDs', (text: string) => text.replace('["o1"]', '{"o1":true}')],
  ])('is not believed by a ledger %s', async (_, spoil) => {
    await other.forget('o1')
    for (const [id, text] of shared.content) shared.content.set(id, spoil(text))
    expect(await proven('o1')).toEqual([])
  })
})
