import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterEach, describe, expect, test, vi } from 'vitest'

import { decodeTag, encodeTag } from '../src/tags.js'
import { benchWithRepository, kind, requestOf, snapshot, value } from './bench.js'
import { wrapRestic } from './wrapper.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('tags', () => {
  test.each(['stack:web', 'a,b', '100%', '%2C', '%', '', ' x ', 'tab\tand\nnewline', 'ä,ö', '%zz', ',', '\u00a0nbsp'])(
    '%j comes back as it was given, and restic sees neither comma nor blank ends',
    (tag) => {
      const encoded = encodeTag(tag)
      expect(decodeTag(encoded)).toBe(tag)
      expect(encoded).not.toMatch(/,|^\s|\s$|^$|\p{Cc}/u)
    },
  )

  test.each(['50%', '%41', '100%zz', 'plain'])('%j, made by hand, is read as it stands', (tag) => {
    expect(decodeTag(tag)).toBe(tag)
  })

  test('of ordinary stacks are the same for restic', () => {
    expect(encodeTag('stack:my stack_1.2-x')).toBe('stack:my stack_1.2-x')
  })
})

test('the new ID is found also where restic does not tell it (before 0.18)', async () => {
  const made = await benchWithRepository()
  writeFileSync(join(made.source, 'file'), 'content')
  const other = await snapshot(made.engine, requestOf(made))
  const { id } = await snapshot(made.engine, requestOf(made))
  wrapRestic(
    made.folder,
    'case $1 in version) echo "restic 0.17.3 compiled with go1.23";; tag) exec "$restic" "$@" >/dev/null;; *) exec "$restic" "$@";; esac',
  )
  const first = value(await made.engine.tag(id, { add: ['live'] })).id
  const second = value(await made.engine.tag(first, { add: ['partial'] })).id
  expect(value(await made.engine.tag(second, { add: ['partial'] })).id).toBe(second)
  const listed = value(await made.engine.snapshots())
  expect(listed.map((entry) => entry.id).sort()).toEqual([other.id, second].sort())
  expect(listed.find((entry) => entry.id === second)?.tags).toEqual(['stackbk', 'stack:web', 'live', 'partial'])
  expect(kind(await made.engine.tag(id, { add: ['late'] }))).toBe('not-found')
})

test('no change asks nothing of restic', async () => {
  const made = await benchWithRepository()
  wrapRestic(made.folder, 'exit 1')
  expect(value(await made.engine.tag('ab'.repeat(32), {})).id).toBe('ab'.repeat(32))
})
