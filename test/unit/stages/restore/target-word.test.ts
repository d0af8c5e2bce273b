import { expect, it } from 'vitest'

import { isPlainWord, refusalOfWord } from '../../../../src/stages/restore/target-word.js'
import { at, configuration, write } from '../fixtures.js'

it.each([['blog', true], ['..blog', true], ['~', true], ['', true], ['./blog', false], ['/blog', false], ['blog/', false], ['.', false], ['..', false]])('%s is a plain word: %s', (word, isWord) => {
  expect(isPlainWord(word)).toBe(isWord)
})

it('a stack’s name leads to recover, and any other word to a path', () => {
  write('stacks/blog/compose.yaml', 'services: {}\n')
  write('dirlist', 'blog=true\n')
  const { docker } = configuration()
  const settings = { docker: { ...docker, dirlist: at('dirlist'), stacksDirectory: at('stacks') } }
  expect(refusalOfWord('blog', settings)).toMatchObject({ kind: 'usage', code: 'stack-is-no-target', fix: expect.stringContaining('stackbk recover blog') as string })
  expect(refusalOfWord('copy', settings)).toMatchObject({ kind: 'usage', code: 'word-is-no-path', fix: expect.stringContaining('stackbk restore ./copy') as string })
})
