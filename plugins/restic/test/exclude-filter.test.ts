import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'
import { excludeFilter } from '../src/exclude-filter.js'
import { patternLines } from '../src/patterns.js'

const paths = ['a', 'media/a.bin', 'data/b.mkv', 'data/B.MKV', 'data/media/x/y', 'data/deep/cache/z', 'data/deep/z.log', 'data/[x]/a', 'data/star*/a', 'data/two words/a', ' lead/a', '#hash', 'data/keep.log', 'data/a1', 'data/a9', 'data/-', 'data/ä.tmp', 'data/new\nline/a']

let root = ''
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'stackbk-exclude-'))
  for (const path of paths) {
    mkdirSync(dirname(join(root, 'source', path)), { recursive: true })
    writeFileSync(join(root, 'source', path), 'x')
  }
  makeQuickRepository(join(root, 'repository'), 'x')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function restic(...args: string[]): string {
  return execFileSync('restic', ['-r', join(root, 'repository'), '--no-cache', ...args], { encoding: 'utf8', env: { ...process.env, RESTIC_PASSWORD: 'x' } })
}

/** What restic leaves out of a snapshot with these patterns, given as stackbk gives them. */
function leftOutByRestic(patterns: readonly string[]): string[] {
  const lines = patternLines(patterns)
  if (!lines.ok) throw new Error(lines.failure.message)
  writeFileSync(join(root, 'patterns'), lines.value.map((line) => `${line}\n`).join(''))
  restic('backup', '-q', '--exclude-file', join(root, 'patterns'), join(root, 'source'))
  const held = restic('ls', '--json', 'latest').split('\n').filter((line) => line !== '').map((line) => (JSON.parse(line) as { path?: string }).path)
  return paths.filter((path) => !held.includes(join(root, 'source', path)))
}

describe('the meaning of exclude patterns', () => {
  it.each([
    [['media', '*.mkv']], [['data/media']], [['data/**/z']], [['**/cache']], [['data/*/z*']], [['/media']], [['SOURCE/media']], [['SOURCE/*/deep/**']], [['*.log', '!keep.log']], [['data', '!data/a1']],
    [['data/\\[x\\]']], [['star\\*']], [['a[0-5]']], [['a[^0-5]']], [['two words']], [[' lead']], [['#hash']], [['./media/']], [['?']], [['[ä]*']], [['new?line']], [['**']], [['-']], [['media/a.bin', 'nothing']],
  ])('of %j is restic\'s own', (patterns) => {
    const named = patterns.map((pattern) => pattern.replace('SOURCE', join(root, 'source')))
    const isExcluded = excludeFilter(named)
    expect(paths.filter((path) => isExcluded(join(root, 'source', path)))).toEqual(leftOutByRestic(named))
  })
})
