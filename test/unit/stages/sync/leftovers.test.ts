import { expect, it } from 'vitest'

import { leftovers } from '../../../../src/stages/sync/leftovers.js'
import { waitingFolder } from '../../../../src/stages/sync/placement.js'
import { trashFolder } from '../../../../src/stages/sync/trash.js'
import { layout, nameOf } from './layout.js'

const now = new Date('2026-03-10T01:00:00.000Z')
const name = nameOf('pack')
const stray = (path: string, modifiedAt: string | null = '2026-03-08T00:00:00.000Z') => ({ path, size: 1, modifiedAt })

it('finds what cut uploads left on the remote, and nothing that somebody else put there', () => {
  const ours = [`data/aa/${name}.1a2b3c4d.partial`, `snapshots/${name}.partial`, 'config.1a2b3c4d.partial', `data/aa/.${name}.aB3xYz`, '.config.aB3xYz', `${waitingFolder}/index/${name}`]
  const others = ['README', 'data/aa/notes.partial', `other/${name}.partial`, 'x/config.partial', 'x/.config.aB3xYz', '.profile.aB3xYz', `data/aa/.${name}`, `data/aa/.${name}.toolong`, `other/.${name}.aB3xYz`, `${trashFolder}/2026-01-01/data/aa/${name}`]
  expect(leftovers(layout, [...ours, ...others].map((path) => stray(path)), now)).toEqual(ours)
})

it('leaves alone what may be on its way at this moment, or has no time', () => {
  const path = `data/aa/${name}.1a2b3c4d.partial`
  expect(leftovers(layout, [stray(path, '2026-03-09T23:00:00.000Z'), stray(path, null), { path, size: 1 }], now)).toEqual([])
})
