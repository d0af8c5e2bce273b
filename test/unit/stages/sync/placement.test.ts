import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { RemoteFile, Transport, TransferRequest } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { placeGroup, waitingFolder } from '../../../../src/stages/sync/placement.js'
import { expiredTrash, moveToTrash, trashFolder } from '../../../../src/stages/sync/trash.js'
import { failure, ok, partly, testRun } from '../fixtures.js'
import { layout, nameOf } from './layout.js'

const groupOf = (role: string) => {
  const group = layout.groups.find((one) => one.role === role)
  if (group === undefined) throw new Error(role)
  return group
}
const files = [
  { path: 'snapshots/one', size: 1 },
  { path: 'snapshots/two', size: 2 },
]

/** A transport may leave it out; the parts here say so, since what they do not name fails when it is used. */
function withoutMoveAll(parts: Partial<Transport>): Partial<Transport> {
  return { ...({ moveAll: undefined } as object), ...parts }
}

describe('putting a group of files in place', () => {
  /** A remote that notes what is asked of it. */
  function remote(more: Partial<Transport> = {}, waiting: readonly RemoteFile[] = files.map(({ path, size }) => ({ path: `${waitingFolder}/${path}`, size, modifiedAt: null }))) {
    const asked: string[] = []
    const uploads: TransferRequest[] = []
    const transport = partly<Transport>('transport', withoutMoveAll({
      upload: (request) => {
        asked.push(`upload ${request.remoteFolder ?? ''}`)
        uploads.push(request)
        return Promise.resolve(ok({ files: request.files.length, bytes: 3 }))
      },
      list: (prefix) => (asked.push(`list ${prefix}`), Promise.resolve(ok(waiting))),
      move: (from, to) => (asked.push(`move ${from} ${to}`), Promise.resolve(ok(undefined))),
      ...more,
    }))
    const place = (role: string, appearsWhole: boolean) => placeGroup(testRun(), transport, { appearsWhole, movesWhole: true }, { group: groupOf(role), files, root: '/repository', limit: () => ({}) }, { files: 0, bytes: 0, attempts: 0 })
    return { asked, uploads, place }
  }

  it('goes straight there where a file appears only when whole', async () => {
    const { asked, place } = remote()
    expect(await place('snapshot', true)).toEqual(ok(undefined))
    expect(asked).toEqual(['upload '])
  })

  it('goes straight there for data, half of which harms nobody', async () => {
    const { asked, place } = remote()
    await place('data', false)
    expect(asked).toEqual(['upload '])
  })

  it('goes to a folder beside where half a snapshot could be seen, is looked at there, and is then moved', async () => {
    const { asked, place } = remote()
    expect(await place('snapshot', false)).toEqual(ok(undefined))
    expect(asked).toEqual([
      `upload ${waitingFolder}`,
      `list ${waitingFolder}`,
      `move ${waitingFolder}/snapshots/one snapshots/one`,
      `move ${waitingFolder}/snapshots/two snapshots/two`,
    ])
  })

  it('is moved in one call where the remote can', async () => {
    const moved: unknown[] = []
    const { asked, place } = remote({ moveAll: (paths, { from, to }) => (moved.push(paths, from, to), Promise.resolve(ok(undefined))) })
    await place('snapshot', false)
    expect(asked).toEqual([`upload ${waitingFolder}`, `list ${waitingFolder}`])
    expect(moved).toEqual([['snapshots/one', 'snapshots/two'], waitingFolder, ''])
  })

  it('is read back where it can neither appear whole nor be moved, and sent again until it is as it was', async () => {
    const [one, two] = ['one', 'two'].map((content) => ({ path: `snapshots/${nameOf(content)}`, size: 3 }))
    if (one === undefined || two === undefined) throw new Error()
    const uploads: TransferRequest[] = []
    let downloads = 0
    const transport = partly<Transport>('transport', {
      upload: (request) => (uploads.push(request), Promise.resolve(ok({ files: 1, bytes: 3 }))),
      download: ({ files: wanted, localRoot }) => {
        downloads++
        for (const path of wanted) {
          mkdirSync(join(localRoot, 'snapshots'), { recursive: true })
          writeFileSync(join(localRoot, path), path === two.path ? (downloads === 1 ? 'tw' : 'two') : 'one')
        }
        return Promise.resolve(ok({ files: 1, bytes: 3 }))
      },
    })
    const placed = await placeGroup(testRun(), transport, { appearsWhole: false, movesWhole: false }, { group: groupOf('snapshot'), files: [one, two], root: '/repository', limit: () => ({}) }, { files: 0, bytes: 0, attempts: 0 })
    expect(placed).toEqual(ok(undefined))
    expect(uploads.map(({ files: sent, whenSameSize, remoteFolder }) => [sent, whenSameSize, remoteFolder])).toEqual([[[one.path, two.path], 'keep', undefined], [[two.path], 'replace', undefined]])
  })

  it.each([
    ['half a file arrived', [{ path: `${waitingFolder}/snapshots/one`, size: 1, modifiedAt: null }, { path: `${waitingFolder}/snapshots/two`, size: 1, modifiedAt: null }]],
    ['a file did not arrive', [{ path: `${waitingFolder}/snapshots/one`, size: 1, modifiedAt: null }]],
  ])('moves nothing when %s', async (_, waiting) => {
    const { asked, place } = remote({}, waiting)
    expect(await place('snapshot', false)).toMatchObject({ ok: false, failure: { kind: 'transfer-failed' } })
    expect(asked.filter((act) => act.startsWith('move'))).toEqual([])
  })

  it('stops at the first failure of each step', async () => {
    const up = remote({ upload: () => Promise.resolve(failure('configuration')) })
    expect(await up.place('snapshot', false)).toEqual(failure('configuration'))
    expect(up.asked).toEqual([])
    const list = remote({ list: () => Promise.resolve(failure('remote-unreachable')) })
    expect(await list.place('snapshot', false)).toEqual(failure('remote-unreachable'))
    const move = remote({ move: () => Promise.resolve(failure('failed')) })
    expect(await move.place('snapshot', false)).toEqual(failure('failed'))
  })

  it('replaces a file of the same size only where its name does not follow from its content', async () => {
    const { uploads, place } = remote()
    await place('data', true)
    await place('config', true)
    expect(uploads.map(({ whenSameSize }) => whenSameSize)).toEqual(['keep', 'replace'])
  })
})

describe('the trash on the remote', () => {
  const now = new Date('2026-03-10T01:00:00.000Z')
  const lying = (day: string): { path: string; size: number } => ({ path: `${trashFolder}/${day}/data/aa/x`, size: 1 })

  it('has a folder for each day', async () => {
    const moved: string[] = []
    const transport = partly<Transport>('transport', withoutMoveAll({ move: (from, to) => (moved.push(`${from} ${to}`), Promise.resolve(ok(undefined))) }))
    expect(await moveToTrash({ ...testRun(), startedAt: now }, transport, ['snapshots/a', 'data/aa/b'])).toEqual(ok(undefined))
    expect(moved).toEqual([`snapshots/a ${trashFolder}/2026-03-10/snapshots/a`, `data/aa/b ${trashFolder}/2026-03-10/data/aa/b`])
  })

  it('keeps what lies there for so many days, and not a day less', () => {
    const files = ['2026-03-10', '2026-03-03', '2026-03-02', '2025-12-31'].map(lying)
    expect(expiredTrash(files, 7, now)).toEqual(['2026-03-02', '2025-12-31'].map((day) => lying(day).path))
  })

  it('is emptied when nothing is to be kept any more, and holds nothing else', () => {
    const files = [lying('2026-03-10'), { path: 'snapshots/a', size: 1 }, { path: `${waitingFolder}/snapshots/b`, size: 1 }, { path: `${trashFolder}x/2020-01-01/c`, size: 1 }]
    expect(expiredTrash(files, 0, now)).toEqual([lying('2026-03-10').path])
    expect(expiredTrash(files, 7, now)).toEqual([])
  })
})
