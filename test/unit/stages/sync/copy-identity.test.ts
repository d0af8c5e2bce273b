import { describe, expect, it } from 'vitest'

import { groupFiles, type FileList } from '../../../../src/stages/sync/file-list.js'
import { CopyIdentity, type KnownRemote } from '../../../../src/stages/sync/known-remotes.js'
import { errorOf, snapshotOf } from '../fixtures.js'
import { layout, nameOf } from './layout.js'

const paths = (...nights: number[]): string[] => nights.flatMap((night) => [`snapshots/${nameOf(`snapshot ${night}`)}`, `index/${nameOf(`index ${night}`)}`])
const listOf = (...nights: number[]): FileList => groupFiles(layout, [...(nights.length === 0 ? [] : ['config']), ...paths(...nights)].map((path) => ({ path, size: 1 }))).list
const timeOf = (night: number): string => new Date(Date.UTC(2026, 0, night)).toISOString()
const snapshots = [1, 2, 3, 4, 5, 6].map((night) => snapshotOf(nameOf(`snapshot ${night}`), { time: timeOf(night) }))

/** A sync by night, to what `remote` holds; returns what is recorded after it. */
async function synced(known: KnownRemote | null, { night, remote, isAllowed = false }: { night: number; remote: FileList; isAllowed?: boolean }): Promise<KnownRemote | string> {
  const local = listOf(...Array.from({ length: night }, (_, index) => index + 1))
  const held = snapshots.slice(0, night)
  const identity = new CopyIdentity(known, { list: remote }, held)
  if (!isAllowed) {
    const error = await errorOf(() => Promise.resolve().then(() => identity.assertKnown())).catch(() => null)
    if (error !== null) return error.code
  }
  return { remote: 'usb:', at: timeOf(night), snapshots: night, ...identity.after(local, remote, held) }
}

async function after(...syncs: Parameters<typeof synced>[1][]): Promise<KnownRemote> {
  let known: KnownRemote | null = null
  for (const one of syncs) {
    const next: KnownRemote | string = await synced(known, one)
    if (typeof next === 'string') throw new Error(next)
    known = next
  }
  if (known === null) throw new Error('there was no sync')
  return known
}

const refused = 'remote-older'

describe('a copy', () => {
  it('is known by what was sent to it last', async () => {
    const known = await after({ night: 1, remote: listOf() }, { night: 2, remote: listOf(1) })
    expect(known.recent?.slice(0, 2)).toEqual(paths(2))
    expect(await synced(known, { night: 3, remote: listOf(1, 2) })).toMatchObject({ snapshots: 3 })
    expect(await synced(known, { night: 3, remote: listOf(1) })).toBe(refused)
  })

  it('is known where nothing is recorded of its files, and where no sync to it is', async () => {
    expect(await synced({ remote: 'usb:', at: timeOf(2), snapshots: 2 }, { night: 3, remote: listOf(1) })).toMatchObject({ snapshots: 3 })
    expect(await synced(null, { night: 3, remote: listOf(1) })).toMatchObject({ snapshots: 3 })
  })

  it('is known where another host has sent newer snapshots and removed all of ours', async () => {
    const known = await after({ night: 2, remote: listOf() })
    expect(await synced(known, { night: 4, remote: listOf(3) })).toMatchObject({ snapshots: 4 })
  })

  it('that lay below a mount point is refused whenever the disk is away, although a sync once went there', async () => {
    const known = await after({ night: 1, remote: listOf() }, { night: 2, remote: listOf(), isAllowed: true }, { night: 3, remote: listOf(1, 2) })
    expect(await synced(known, { night: 4, remote: listOf(1) })).toBe(refused)
  })

  it('that takes turns with another one at one place is asked for once each', async () => {
    const nights = [{ night: 1, remote: listOf() }, { night: 2, remote: listOf(), isAllowed: true }, { night: 3, remote: listOf(1, 2) }]
    expect(await synced(await after(...nights), { night: 4, remote: listOf(1) })).toBe(refused)
    const turns = await after(...nights, { night: 4, remote: listOf(1), isAllowed: true }, { night: 5, remote: listOf(1, 2, 3) })
    expect(turns.otherCopies).toHaveLength(1)
    expect(await synced(turns, { night: 6, remote: listOf(1, 2, 3, 4) })).toMatchObject({ snapshots: 6 })
    expect(await synced(turns, { night: 6, remote: listOf(1) })).toBe(refused)
  })
})
