import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { placeAll, undoAll, type Move } from '../../../../src/stages/recover/moves.js'
import { at, write } from '../fixtures.js'

const move = (hadPresent = true, more: Partial<Move> = {}): Move => ({ place: at('place'), staged: at('ours/new/place'), aside: at('ours/before/0'), hadPresent, ...more })
const content = (): string | null => (existsSync(at('place/file')) ? readFileSync(at('place/file'), 'utf8') : null)

function prepare(hadPresent = true): Move {
  if (hadPresent) write('place/file', 'old')
  write('ours/new/place/file', 'new')
  return move(hadPresent)
}

describe('a move', () => {
  it.each([true, false])('puts in place, and back again, as often as it is asked (something there: %s)', (hadPresent) => {
    const one = prepare(hadPresent)
    for (let round = 0; round < 2; round++) {
      placeAll([one])
      placeAll([one])
      expect(content()).toBe('new')
      undoAll([one])
      undoAll([one])
      expect(content()).toBe(hadPresent ? 'old' : null)
    }
  })

  it('that was cut short between its two renames goes on or back', () => {
    const one = prepare()
    mkdirSync(at('ours/before'))
    renameSync(at('place'), at('ours/before/0'))
    undoAll([one])
    expect(content()).toBe('old')
    renameSync(at('place'), at('ours/before/0'))
    placeAll([one])
    expect(content()).toBe('new')
  })

  it('is not misled by an empty folder that the engine has made meanwhile', () => {
    const one = prepare()
    mkdirSync(at('ours/before'))
    renameSync(at('place'), at('ours/before/0'))
    mkdirSync(at('place'))
    undoAll([one])
    expect(content()).toBe('old')
    renameSync(at('place'), at('ours/before/0'))
    mkdirSync(at('place'))
    placeAll([one])
    expect(content()).toBe('new')
  })

  it('that has not begun is nothing to undo, also where something else has come there', () => {
    const one = prepare(false)
    write('place/file', 'of somebody')
    undoAll([one])
    expect(content()).toBe('of somebody')
  })

  it('of a removal takes away and brings back', () => {
    write('place/file', 'old')
    const one = move(true, { isRemoval: true })
    placeAll([one])
    expect(existsSync(at('place'))).toBe(false)
    undoAll([one])
    expect(content()).toBe('old')
  })

  it('makes the folders above where they are new', () => {
    write('ours/new/place/file', 'new')
    placeAll([move(false, { place: at('a/b/place') })])
    expect(readFileSync(at('a/b/place/file'), 'utf8')).toBe('new')
  })

  it('makes the folders above as the snapshot has them, whatever the umask', () => {
    write('ours/new/opt/stacks/web/file', 'new')
    const before = process.umask(0o077)
    try {
      const above = [{ path: at('opt'), mode: 0o2751, uid: process.getuid!(), gid: process.getgid!() }, { path: at('opt/stacks'), mode: 0o775, uid: process.getuid!(), gid: process.getgid!() }]
      placeAll([move(false, { place: at('opt/stacks/web'), staged: at('ours/new/opt/stacks/web'), above })])
      placeAll([move(false, { place: at('no/such/place'), staged: write('ours/new/unknown', 'x') })])
    } finally {
      process.umask(before)
    }
    expect(['opt', 'opt/stacks', 'no', 'no/such'].map((path) => statSync(at(path)).mode & 0o7777)).toEqual([0o2751, 0o775, 0o755, 0o755])
  })
})
