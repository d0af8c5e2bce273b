import { chmodSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import type { VerificationDepth } from '@stackbk/contract'
import { afterEach, expect, test, vi } from 'vitest'

import { benchWithRepository, requestOf, snapshot, value, type Bench } from './bench.js'
import { wrapRestic } from './wrapper.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** The repository's packs by their path. */
function packsOf({ repository }: Bench): string[] {
  return readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Two snapshots that share nothing; the packs that came with the second, smallest first: its trees, then its data. */
async function twoSnapshots(made: Bench): Promise<{ first: string; second: string; trees: string; data: string }> {
  const [one, two] = [join(made.source, 'one'), join(made.source, 'two')]
  mkdirSync(one)
  mkdirSync(two)
  writeFileSync(join(one, 'file'), randomBytes(100_000))
  writeFileSync(join(two, 'file'), randomBytes(100_000))
  const first = await snapshot(made.engine, requestOf(made, { paths: [one] }))
  const before = packsOf(made)
  const second = await snapshot(made.engine, requestOf(made, { paths: [two] }))
  const [trees, data] = packsOf(made)
    .filter((pack) => !before.includes(pack))
    .sort((a, b) => readFileSync(a).length - readFileSync(b).length)
  if (trees === undefined || data === undefined) throw new Error('two packs were expected')
  return { first: first.id, second: second.id, trees, data }
}

function corrupt(pack: string): void {
  const content = readFileSync(pack)
  content[100] = (content[100] ?? 0) ^ 1
  chmodSync(pack, 0o600)
  writeFileSync(pack, content)
}

async function soundness(made: Bench, ids: readonly string[], depth: VerificationDepth): Promise<boolean[]> {
  const results = value(
    await made.engine.verify(
      ids.map((id) => ({ id, files: null, bytes: null })),
      depth,
    ),
  )
  return results.map(({ isSound }) => isSound)
}

test('a lost pack of trees is noticed although the trees are in the cache, and only its snapshot is unsound', async () => {
  const made = await benchWithRepository()
  const { first, second, trees } = await twoSnapshots(made)
  value(await made.engine.list(second))
  rmSync(trees)
  for (const depth of ['metadata', 'files', 'data'] as const) {
    expect(await soundness(made, [first, second], depth), depth).toEqual([true, false])
  }
  expect(await soundness(made, [second], 'metadata')).toEqual([false])
})

test('a damaged pack of trees is noticed', async () => {
  const made = await benchWithRepository()
  const { first, second, trees } = await twoSnapshots(made)
  value(await made.engine.list(second))
  corrupt(trees)
  for (const depth of ['metadata', 'files', 'data'] as const) {
    expect(await soundness(made, [first, second], depth), depth).toEqual([true, false])
  }
})

test('a lost or damaged pack of data is noticed where the data is read back', async () => {
  const made = await benchWithRepository()
  const { first, second, data } = await twoSnapshots(made)
  corrupt(data)
  expect(await soundness(made, [first, second], 'data')).toEqual([true, false])
  expect(value(await made.engine.check({ readDataPercent: 0 })).isSound).toBe(true)
  const read = value(await made.engine.check({ readDataPercent: 100 }))
  expect(read.isSound).toBe(false)
  expect(read.errors.join('\n')).toContain(data.slice(-64))
  rmSync(data)
  expect(await soundness(made, [first, second], 'data')).toEqual([true, false])
  const [, result] = value(
    await made.engine.verify(
      [first, second].map((id) => ({ id, files: null, bytes: null })),
      'data',
    ),
  )
  expect(result?.reason).toContain(data.slice(-64))
  expect(value(await made.engine.check({ readDataPercent: 0 })).isSound).toBe(false)
})

test('data is read back also where restic cannot check single snapshots (before 0.19)', async () => {
  const made = await benchWithRepository()
  const { first, second, data } = await twoSnapshots(made)
  wrapRestic(
    made.folder,
    'case $1 in version) echo "restic 0.17.3 compiled with go1.23";; check) echo "check takes no arguments" >&2; exit 1;; *) exec "$restic" "$@";; esac',
  )
  expect(await soundness(made, [first, second], 'data')).toEqual([true, true])
  corrupt(data)
  expect(await soundness(made, [first, second], 'data')).toEqual([true, false])
})

test('the counts that a snapshot gives when it is made are those that its listing has, whatever lies in the folder', async () => {
  const made = await benchWithRepository()
  const at = (name: string): string => join(made.source, name)
  writeFileSync(at('file'), 'content')
  linkSync(at('file'), at('hard-link'))
  symlinkSync('file', at('symbolic-link'))
  execFileSync('mkfifo', [at('pipe')])
  writeFileSync(at('empty'), '')
  writeFileSync(at('sparse'), '')
  truncateSync(at('sparse'), 5_000_000)
  mkdirSync(at('folder'))
  const ask = async (made_: {
    id: string
    filesNew: number
    filesChanged: number
    filesUnmodified: number
    bytesProcessed: number
  }): Promise<unknown> => {
    const files = made_.filesNew + made_.filesChanged + made_.filesUnmodified
    return value(await made.engine.verify([{ id: made_.id, files, bytes: made_.bytesProcessed }], 'files'))[0]?.reason
  }
  const first = await snapshot(made.engine, requestOf(made))
  expect(await ask(first)).toBe('')
  writeFileSync(at('file'), 'changed content')
  const second = await snapshot(made.engine, requestOf(made, { parent: first.id }))
  expect(await ask(second)).toBe('')
})

test('an edit that keeps size and modification time is seen all the same', async () => {
  const made = await benchWithRepository()
  const file = join(made.source, 'file')
  writeFileSync(file, 'first')
  execFileSync('touch', ['-d', '2020-01-01', file])
  const first = await snapshot(made.engine, requestOf(made))
  writeFileSync(file, 'other')
  execFileSync('touch', ['-d', '2020-01-01', file])
  const second = await snapshot(made.engine, requestOf(made, { parent: first.id }))
  expect(second.filesChanged).toBe(1)
})

test('a part of the data is checked by share, and by turns', async () => {
  const made = await benchWithRepository()
  await twoSnapshots(made)
  for (const request of [{ readDataPercent: 5 }, { readDataPercent: 2.5 }, { readDataPercent: 0, part: { n: 2, of: 3 } }]) {
    expect(value(await made.engine.check(request))).toEqual({ isSound: true, errors: [] })
  }
})

test('a restic that is ended from outside says nothing of a snapshot: the verification fails, and no snapshot is damaged', async () => {
  const made = await benchWithRepository()
  const { first } = await twoSnapshots(made)
  wrapRestic(made.folder, 'case $1 in stats|ls) kill -KILL $$;; *) exec "$restic" "$@";; esac')
  for (const depth of ['metadata', 'files'] as const) {
    expect(await made.engine.verify([{ id: first, files: null, bytes: null }], depth), depth).toMatchObject({ ok: false, failure: { kind: 'failed' } })
  }
})

test('a disk that goes away, and one that comes back, are not damage', async () => {
  const made = await benchWithRepository()
  const { first } = await twoSnapshots(made)
  const request = [{ id: first, files: null, bytes: null }]
  const words = (text: string): string => `echo '{"message_type":"exit_error","code":1,"message":"Fatal: ${text}"}' >&2; exit 1`
  wrapRestic(made.folder, `case $1 in stats) if [ -e '${made.folder}/away' ]; then ${words('unable to load tree: input/output error')}; elif [ ! -e '${made.folder}/once' ]; then touch '${made.folder}/once'; ${words('unable to load tree: input/output error')}; fi;; cat) [ ! -e '${made.folder}/away' ] || { ${words('unable to open config file')}; };; esac\nexec "$restic" "$@"`)
  expect(await made.engine.verify(request, 'metadata')).toMatchObject({ ok: true, value: [{ isSound: true }] })
  writeFileSync(join(made.folder, 'away'), '')
  expect(await made.engine.verify(request, 'metadata')).toMatchObject({ ok: false })
})

test.each(['permission denied', 'stale NFS file handle', 'connection reset by peer', 'no space left on device'])('"%s" says nothing of what the repository holds', async (reason) => {
  const made = await benchWithRepository()
  const { first } = await twoSnapshots(made)
  wrapRestic(made.folder, `case $1 in stats|check) echo "error for tree 1234abcd: load data: ${reason}" >&2; echo "Fatal: repository contains errors" >&2; exit 1;; *) exec "$restic" "$@";; esac`)
  expect(await made.engine.verify([{ id: first, files: null, bytes: null }], 'metadata')).toMatchObject({ ok: false, failure: { kind: 'failed' } })
  expect(await made.engine.check({ readDataPercent: 0 })).toMatchObject({ ok: false, failure: { kind: 'failed', toolOutput: expect.stringContaining(reason) as string } })
})
