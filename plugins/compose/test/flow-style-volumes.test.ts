import { expect, test } from 'vitest'

import { readPlainly } from '../src/plain-compose-file.js'

const volumesIn = (written: string): readonly string[] | null => readPlainly(`services:\n  web: {image: x}\nvolumes: ${written}\n`)?.keys.volumes ?? null

test.each([
  ['{keep: {}}', ['keep']],
  ['{a: {}, b: {driver: local, driver_opts: {type: none}}, c: } # three', ['a', 'b', 'c']],
  ['{}', []],
  ['{a: {name: "x"}}', null],
  ['{a: [1]}', null],
  ['{a: *other}', null],
  ['{a: {}', null],
] as const)('the volumes that stand on one line as %s are %j', (written, keys) => {
  expect(volumesIn(written)).toEqual(keys)
})
