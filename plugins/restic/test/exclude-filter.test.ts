import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'
import { excludeFilter, patternsBelow } from '../src/exclude-filter.js'
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
function leftOutByRestic(patterns: readonly string[], roots = [join(root, 'source')]): string[] {
  const lines = patternLines(patterns)
  if (!lines.ok) throw new Error(lines.failure.message)
  writeFileSync(join(root, 'patterns'), lines.value.map((line) => `${line}\n`).join(''))
  restic('backup', '-q', '--exclude-file', join(root, 'patterns'), ...roots)
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

describe('patterns below the roots of a snapshot', () => {
  const all = paths
  const rootsOf = (): string[] => [join(root, 'source/data'), join(root, 'source/media'), join(root, 'source/ lead/a')]
  const held = all.filter((path) => path.startsWith('data/') || path.startsWith('media/') || path === ' lead/a')

  it.each([
    ['the name of a root', ['media'], ['data/media/x/y']],
    ['the name of a root that is a file', ['a'], ['data/[x]/a', 'data/new\nline/a', 'data/star*/a', 'data/two words/a']],
    ['the name of a folder above', ['source', 'SYSTEM'], []],
    ['a folder above and what is in it', ['source/*', 'source/**', 'SYSTEM/**/z'], []],
    ['**/ and the name of a folder above', ['**/source', '**/*.mkv'], ['data/b.mkv']],
    ['a root and a path below', ['source/data/deep', 'data/media'], ['data/deep/cache/z', 'data/deep/z.log', 'data/media/x/y']],
    ['a root and a path below, next to a root of that name', ['source/media/*', 'data/media', 'media/*'], ['data/media/x/y', 'media/a.bin']],
    ['a pattern with a wildcard that a root has too', ['m*'], ['data/media/x/y']],
    ['one that takes back', ['*.log', '!source', '!keep.log'], ['data/deep/z.log']],
    ['all of it', ['**'], held.filter((path) => path !== ' lead/a')],
    ['everything by name', ['*'], held.filter((path) => path !== ' lead/a')],
    ['an absolute path', ['SOURCE/data/deep'], ['data/deep/cache/z', 'data/deep/z.log']],
    ['an absolute path of a root', ['SOURCE/media'], ['media/a.bin']],
    ['what points out of the root', ['../media', '.', './deep/../a1'], ['data/a1']],
  ])('match %s as restic does with what it is given', (_, patterns, expected) => {
    const named = patterns.map((pattern) => pattern.replace('SOURCE', join(root, 'source')).replace('SYSTEM', basename(root)))
    const isExcluded = excludeFilter(named, rootsOf())
    const byFilter = held.filter((path) => isExcluded(join(root, 'source', path)))
    expect(byFilter.sort()).toEqual([...expected].sort())
    expect(leftOutByRestic(patternsBelow(named, rootsOf()), rootsOf()).filter((path) => held.includes(path)).sort()).toEqual(byFilter.sort())
  })

  it('are left as they are where they can match below the roots alone', () => {
    const patterns = ['*.log', 'cache', 'data/media', '!keep.log', '/var', 'deep/**/z']
    expect(patternsBelow(patterns, ['/opt/stacks/web', '/var/lib/docker/volumes/web_v/_data'])).toEqual(patterns)
  })

  it('name a root with any sign in it', () => {
    expect(patternsBelow(['opt', '!opt'], ['/opt/a [b]*?\\\n\udcff'])).toEqual(['/opt/a \\[b\\]\\*\\?\\\\??/**/opt', '!/opt/a \\[b\\]\\*\\?\\\\??/**/opt'])
  })
})
