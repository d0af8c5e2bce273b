import { expect, it } from 'vitest'

import { blockIn, withBlock, withoutBlock } from '../../../src/host/crontab.js'

const own = 'MAILTO=me\n\n# mine\n1 2 3 4 * true\n'

it('a block goes to the end, is found, replaced in its place, and taken away with every other line as it was', () => {
  const first = withBlock(own, ['one'])
  expect(first.startsWith(own)).toBe(true)
  expect(blockIn(first)).toEqual(['one'])
  const between = `${first}# below\n`
  const second = withBlock(between, ['two', 'three'])
  expect(blockIn(second)).toEqual(['two', 'three'])
  expect(withBlock(second, ['two', 'three'])).toBe(second)
  expect(withoutBlock(second)).toBe(`${own}# below\n`)
})

it('a crontab whose last line does not end gets its end before the block', () => {
  expect(withBlock('1 2 3 4 * true', ['one'])).toMatch(/^1 2 3 4 \* true\n# begin/)
})

it('half a block is none: what follows it may be the user’s own', () => {
  const cut = withBlock('', ['one']).replace(/# end.*\n/, '') + own
  expect(blockIn(cut)).toBeNull()
  expect(withoutBlock(cut)).toBe(cut)
  expect(withoutBlock(withBlock(cut, ['two']))).toBe(cut)
})

it('of two blocks both go', () => {
  expect(withoutBlock(withBlock('', ['one']) + own + withBlock('', ['two']))).toBe(own)
})
