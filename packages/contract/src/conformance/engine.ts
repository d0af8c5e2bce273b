import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Engine, RetentionPolicy, SnapshotRequest, SnapshotResult } from '../engine.js'
import { kindOf, valueOf } from './answers.js'
import type { ConformanceTest } from './suite.js'

/** What a test gets: an engine on a place where no repository is yet, and folders of its own. */
export interface EngineBench {
  readonly engine: Engine
  /** The same place with another password; `null` for an engine without passwords. */
  readonly withWrongPassword: Engine | null
  /** Makes the repository by other means than the engine, where those are quicker. Absent: the engine makes it. */
  readonly makeRepository?: () => Promise<void>
  /** Where the repository comes to be. Not there yet, or empty. */
  readonly repository: string
  /** An empty folder, by its real path, for what is put into snapshots. */
  readonly source: string
  /** An empty folder for whatever else. */
  readonly scratch: string
  /** A path that is there and cannot be read, for root neither; `null` where there is none. */
  readonly unreadable: string | null
  readonly dispose: () => Promise<void>
}

/**
 * What the core relies on in every snapshot engine.
 *
 * @param make a fresh bench for each test; with a real `exec` and real tools
 */
export function engineSuite(make: () => Promise<EngineBench>): readonly ConformanceTest[] {
  const test = (name: string, run: (bench: EngineBench) => Promise<void>): ConformanceTest => ({
    name,
    run: async () => {
      const bench = await make()
      try {
        await run(bench)
      } finally {
        await bench.engine.close()
        await bench.dispose()
      }
    },
  })
  const withRepository = (name: string, run: (bench: EngineBench) => Promise<void>): ConformanceTest =>
    test(name, async (bench) => {
      if (bench.makeRepository === undefined) valueOf(await bench.engine.init())
      else await bench.makeRepository()
      await run(bench)
    })

  return [
    test('a repository that is not there is repository-missing, and asking makes nothing', async ({ engine, repository, source }) => {
      assert.equal(kindOf(await engine.open()), 'repository-missing')
      assert.equal(kindOf(await engine.repositoryId()), 'repository-missing')
      assert.equal(kindOf(await engine.snapshots()), 'repository-missing')
      const prepared = engine.prepare(requestOf(source))
      assert.equal(kindOf(await prepared.ready), 'repository-missing')
      await prepared.abandon()
      assert.deepEqual(filesBelow(repository), [])
    }),

    test('a new repository opens under the ID that its making told, and a second making leaves it alone', async ({
      engine,
      repository,
    }) => {
      valueOf(await engine.ready())
      const made = valueOf(await engine.init())
      const opened = valueOf(await engine.open())
      assert.equal(opened.id, made.id)
      assert.notEqual(opened.id, '')
      assert.equal(valueOf(await engine.repositoryId()), made.id)
      assert.equal(engine.location().path, repository)
      const files = filesBelow(repository)
      assert.equal((await engine.init()).ok, false)
      assert.deepEqual(filesBelow(repository), files)
      assert.equal(valueOf(await engine.repositoryId()), made.id)
    }),

    withRepository('a wrong password is told as such, in the first phase of a snapshot too', async ({ withWrongPassword, source }) => {
      if (withWrongPassword === null) return
      assert.equal(kindOf(await withWrongPassword.open()), 'wrong-password')
      assert.equal(kindOf(await withWrongPassword.snapshots()), 'wrong-password')
      const prepared = withWrongPassword.prepare(requestOf(source))
      assert.equal(kindOf(await prepared.ready), 'wrong-password')
      assert.equal(kindOf(await prepared.take()), 'wrong-password')
    }),

    withRepository(
      'a snapshot is listed with host, paths, tags and counts, and found by host and tags alone',
      async ({ engine, source }) => {
        writeFileSync(join(source, 'one'), 'one')
        writeFileSync(join(source, 'two'), 'second')
        const tags = ['stackbk', 'stack:a,b', '100%', '%2C', ' blanks around ', 'ünï·çödé', '']
        const made = await snapshot(engine, { ...requestOf(source), tags })
        assert.equal(made.isComplete, true)
        assert.deepEqual([made.filesNew, made.filesChanged, made.filesUnmodified, made.bytesProcessed], [2, 0, 0, 9])

        const [listed, ...others] = valueOf(await engine.snapshots())
        assert.deepEqual(others, [])
        assert.ok(listed)
        assert.equal(listed.id, made.id)
        assert.equal(listed.host, 'host-a')
        assert.deepEqual(listed.paths, [source])
        assert.deepEqual([...listed.tags].sort(), [...tags].sort())
        assert.deepEqual([listed.parent, listed.files, listed.bytes], [null, 2, 9])
        assert.equal(new Date(listed.time).toISOString(), listed.time)

        const found = async (filter: { host?: string; tags?: readonly string[] }): Promise<number> =>
          valueOf(await engine.snapshots(filter)).length
        assert.equal(await found({ host: 'host-a', tags }), 1)
        assert.equal(await found({ tags: ['stack:a,b'] }), 1)
        assert.equal(await found({ tags: ['stack:a'] }), 0)
        assert.equal(await found({ host: 'host-b' }), 0)
      },
    ),

    withRepository('a snapshot holds what was there when it was taken, not when it was prepared', async ({ engine, source }) => {
      writeFileSync(join(source, 'before'), 'old')
      const prepared = engine.prepare(requestOf(source))
      valueOf(await prepared.ready)
      writeFileSync(join(source, 'before'), 'new content')
      writeFileSync(join(source, 'between'), 'x')
      const { id } = valueOf(await prepared.take())
      assert.equal(text(valueOf(await engine.read(id, join(source, 'before')))), 'new content')
      assert.equal(text(valueOf(await engine.read(id, join(source, 'between')))), 'x')
    }),

    withRepository('the parent is the one that was named, and what did not change is not read again', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const first = await snapshot(engine, requestOf(source))
      const second = await snapshot(engine, { ...requestOf(source), parent: first.id })
      assert.deepEqual([second.filesNew, second.filesChanged, second.filesUnmodified], [0, 0, 1])
      const unrelated = await snapshot(engine, requestOf(source))
      const listed = valueOf(await engine.snapshots())
      const parentOf = (id: string): string | null | undefined => listed.find((entry) => entry.id === id)?.parent
      assert.equal(parentOf(second.id), first.id)
      assert.equal(parentOf(unrelated.id), null)
      assert.deepEqual(
        listed.map(({ time }) => time),
        listed.map(({ time }) => time).sort(),
      )
    }),

    withRepository('an abandoned snapshot leaves nothing, no lock either, whether it was ready or not', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      await engine.prepare(requestOf(source)).abandon()
      const ready = engine.prepare(requestOf(source))
      valueOf(await ready.ready)
      await ready.abandon()
      assert.deepEqual(valueOf(await engine.snapshots()), [])
      assert.deepEqual(valueOf(await engine.removeStaleLocks()), { removed: 0, held: [] })
    }),

    withRepository('a cancelled snapshot is kind cancelled and leaves nothing', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const prepared = engine.prepare(requestOf(source))
      valueOf(await prepared.ready)
      assert.equal(kindOf(await prepared.take({ signal: AbortSignal.abort() })), 'cancelled')
      assert.equal(kindOf(await engine.open({ signal: AbortSignal.abort() })), 'cancelled')
      assert.deepEqual(valueOf(await engine.snapshots()), [])
      assert.deepEqual(valueOf(await engine.removeStaleLocks()), { removed: 0, held: [] })
    }),

    withRepository('a second snapshot can be prepared while the first is under way', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const first = engine.prepare({ ...requestOf(source), tags: ['first'] })
      const second = engine.prepare({ ...requestOf(source), tags: ['second'] })
      valueOf(await first.ready)
      valueOf(await second.ready)
      const { id } = valueOf(await first.take())
      assert.deepEqual(
        valueOf(await engine.snapshots()).map((entry) => entry.id),
        [id],
      )
      valueOf(await second.take())
      assert.equal(valueOf(await engine.snapshots()).length, 2)
    }),

    withRepository(
      'what cannot be read makes a snapshot that is not complete, and says what it was',
      async ({ engine, source, unreadable }) => {
        if (unreadable === null) return
        writeFileSync(join(source, 'file'), 'content')
        const made = await snapshot(engine, { ...requestOf(source), paths: [source, unreadable] })
        assert.equal(made.isComplete, false)
        assert.ok(
          made.unreadable.some((line) => line.includes(unreadable)),
          made.unreadable.join('\n'),
        )
        assert.equal(made.filesNew, 1)
      },
    ),

    withRepository(
      'paths with blanks, newlines, quotes and pattern characters are taken literally',
      async ({ engine, source, scratch }) => {
        const names = ['-dash', 'two words', 'new\nline', '*', 'a[bc]?', 'quo\'te"s', 'back\\slash', '$HOME', '#hash', '!not', 'ab']
        for (const name of names) {
          mkdirSync(join(source, name))
          writeFileSync(join(source, name, 'file'), name)
        }
        const asked = names.filter((name) => name !== 'ab')
        const made = await snapshot(engine, { ...requestOf(source), paths: asked.map((name) => join(source, name)) })
        assert.equal(made.isComplete, true)
        const files = valueOf(await engine.list(made.id)).filter(({ type }) => type === 'file')
        assert.deepEqual(files.map(({ path }) => path).sort(), asked.map((name) => join(source, name, 'file')).sort())
        assert.equal(text(valueOf(await engine.read(made.id, join(source, 'new\nline', 'file')))), 'new\nline')
        valueOf(
          await engine.restore({
            snapshot: made.id,
            target: scratch,
            include: [join(source, 'a[bc]?'), join(source, '*')],
            subfolder: '',
            deleteExtra: false,
            sparse: false,
            verify: true,
          }),
        )
        assert.deepEqual(readdirSync(join(scratch, source)).sort(), ['*', 'a[bc]?'])
      },
    ),

    withRepository('a file that was written again within the same size and time is read again, since its change time tells', async ({ engine, source }) => {
      const file = join(source, 'file')
      writeFileSync(file, 'before')
      const { atime, mtime } = statSync(file)
      const parent = await snapshot(engine, requestOf(source))
      writeFileSync(file, 'after!')
      utimesSync(file, atime, mtime)
      const { id } = await snapshot(engine, { ...requestOf(source), parent: parent.id })
      assert.equal(text(valueOf(await engine.read(id, file))), 'after!')
    }),

    withRepository('a frozen copy is read in the place of the original, under its path and with its parent', async ({ engine, source, scratch }) => {
      // Private bind mounts are root's alone.
      if (process.getuid?.() !== 0) return
      const frozen = join(scratch, 'frozen')
      mkdirSync(frozen)
      writeFileSync(join(frozen, 'file'), 'as it was')
      writeFileSync(join(source, 'file'), 'written since')
      const parent = await snapshot(engine, requestOf(source))
      const made = await snapshot(engine, { ...requestOf(source), parent: parent.id, bindMounts: [{ source: frozen, target: source }] })
      assert.equal(made.isComplete, true)
      assert.equal(text(valueOf(await engine.read(made.id, join(source, 'file')))), 'as it was')
      const listed = valueOf(await engine.snapshots()).find(({ id }) => id === made.id)
      assert.deepEqual([listed?.paths, listed?.parent], [[source], parent.id])
      assert.equal(readFileSync(join(source, 'file'), 'utf8'), 'written since')
    }),

    withRepository('a listing may be of a part of the snapshot alone', async ({ engine, source }) => {
      mkdirSync(join(source, 'one', 'deep'), { recursive: true })
      mkdirSync(join(source, 'one more'))
      writeFileSync(join(source, 'one', 'deep', 'file'), 'content')
      writeFileSync(join(source, 'one more', 'file'), 'content')
      const { id } = await snapshot(engine, requestOf(source))
      const below = async (...path: string[]): Promise<string[]> => valueOf(await engine.list(id, { below: join(source, ...path) })).map(({ path: found }) => found)
      assert.deepEqual(await below('one'), [join(source, 'one'), join(source, 'one', 'deep'), join(source, 'one', 'deep', 'file')])
      assert.deepEqual(await below('one', 'deep', 'file'), [join(source, 'one', 'deep', 'file')])
      assert.deepEqual(await below('nothing'), [])
    }),

    withRepository('what may be left out of a restore is left out, and a listing comes entry by entry, where the engine can', async ({ engine, source, scratch }) => {
      if (engine.eachEntry === undefined) return
      for (const name of ['kept', 'left *out']) {
        mkdirSync(join(source, name))
        writeFileSync(join(source, name, 'file'), 'content')
      }
      const { id } = await snapshot(engine, requestOf(source))
      const seen: string[] = []
      valueOf(await engine.eachEntry(id, ({ path }) => seen.push(path)))
      assert.deepEqual(seen, valueOf(await engine.list(id)).map(({ path }) => path))
      const below: string[] = []
      valueOf(await engine.eachEntry(id, ({ path }) => below.push(path), { below: join(source, 'kept') }))
      assert.deepEqual(below, [join(source, 'kept'), join(source, 'kept', 'file')])
      valueOf(await engine.restore({ snapshot: id, target: scratch, include: [], exclude: [join(source, 'left *out')], subfolder: '', deleteExtra: false, sparse: false, verify: false }))
      assert.deepEqual(readdirSync(join(scratch, source)), ['kept'])
      const isExcluded = engine.excludeFilter?.(['*.tmp']) ?? ((path: string) => path.endsWith('.tmp'))
      assert.deepEqual([isExcluded(join(source, 'a.tmp')), isExcluded(join(source, 'a'))], [true, false])
    }),

    withRepository('listing tells type, size, permissions and time of each file', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      chmodSync(join(source, 'file'), 0o4751)
      mkdirSync(join(source, 'folder'))
      chmodSync(join(source, 'folder'), 0o1777)
      // In whole seconds: below a millisecond one rounds and the other cuts.
      for (const name of ['file', 'folder']) utimesSync(join(source, name), 1_700_000_000, 1_700_000_001)
      const { id } = await snapshot(engine, requestOf(source))
      const entries = valueOf(await engine.list(id))
      const entryOf = (name: string): unknown => {
        const entry = entries.find(({ path }) => path === join(source, name))
        return [entry?.type, entry?.bytes, entry?.mode, entry?.modifiedAt]
      }
      assert.deepEqual(entryOf('file'), ['file', 7, 0o4751, statSync(join(source, 'file')).mtime.toISOString()])
      assert.deepEqual(entryOf('folder'), ['directory', 0, 0o1777, statSync(join(source, 'folder')).mtime.toISOString()])
      assert.equal(kindOf(await engine.read(id, join(source, 'nothing'))), 'not-found')
      assert.equal(kindOf(await engine.read(id, join(source, 'folder'))), 'not-found')
      assert.equal(kindOf(await engine.list(unknownId)), 'not-found')
    }),

    withRepository(
      'verification tells sound from unknown and from miscounted snapshots, in the order asked',
      async ({ engine, source }) => {
        writeFileSync(join(source, 'file'), 'content')
        const { id } = await snapshot(engine, requestOf(source))
        const second = await snapshot(engine, requestOf(source))
        const ask = async (
          depth: 'metadata' | 'files' | 'data',
          ids: readonly string[],
          files: number | null = null,
        ): Promise<boolean[]> => {
          const results = valueOf(
            await engine.verify(
              ids.map((one) => ({ id: one, files, bytes: null })),
              depth,
            ),
          )
          assert.deepEqual(
            results.map((result) => result.id),
            ids,
          )
          assert.ok(results.every(({ isSound, reason }) => isSound === (reason === '')))
          return results.map(({ isSound }) => isSound)
        }
        assert.deepEqual(await ask('metadata', []), [])
        for (const depth of ['metadata', 'files', 'data'] as const) {
          assert.deepEqual(await ask(depth, [second.id, id]), [true, true], depth)
          assert.deepEqual(await ask(depth, [id, unknownId]), [true, false], depth)
        }
        assert.deepEqual(await ask('files', [id], 1), [true])
        assert.deepEqual(await ask('files', [id], 2), [false])
        assert.deepEqual(
          valueOf(await engine.verify([{ id, files: 1, bytes: 8 }], 'files')).map(({ isSound }) => isSound),
          [false],
        )
      },
    ),

    withRepository('lost data is found, and whose it was', async ({ engine, source, repository }) => {
      const data = engine.layout?.().groups.find(({ role }) => role === 'data')
      if (data === undefined) return
      writeFileSync(join(source, 'file'), 'content')
      const whole = await snapshot(engine, requestOf(source))
      const before = new Set(filesBelow(join(repository, data.path)))
      writeFileSync(join(source, 'other'), 'more')
      const broken = await snapshot(engine, requestOf(source))
      assert.equal(valueOf(await engine.check({ readDataPercent: 100 })).isSound, true)
      for (const file of filesBelow(join(repository, data.path))) if (!before.has(file)) rmSync(join(repository, data.path, file))
      const ids = [whole.id, broken.id]
      for (const depth of ['metadata', 'files', 'data'] as const) {
        const results = valueOf(
          await engine.verify(
            ids.map((id) => ({ id, files: null, bytes: null })),
            depth,
          ),
        )
        assert.deepEqual(
          results.map(({ isSound }) => isSound),
          [true, false],
          depth,
        )
      }
      const checked = valueOf(await engine.check({ readDataPercent: 0 }))
      assert.equal(checked.isSound, false)
      assert.notDeepEqual(checked.errors, [])
    }),

    withRepository('changed tags give a new ID, which is the answer and takes the place of the old one', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const other = await snapshot(engine, requestOf(source))
      const made = await snapshot(engine, requestOf(source))
      const { id } = valueOf(await engine.tag(made.id, { add: ['live', 'x,y'] }))
      const again = valueOf(await engine.tag(id, { add: ['partial'], remove: ['live'] }))
      const listed = valueOf(await engine.snapshots())
      assert.deepEqual(listed.map((entry) => entry.id).sort(), [other.id, again.id].sort())
      assert.deepEqual([...(listed.find((entry) => entry.id === again.id)?.tags ?? [])].sort(), ['partial', 'stackbk', 'x,y'])
      assert.equal(valueOf(await engine.tag(again.id, { add: ['partial'] })).id, again.id)
      assert.equal(kindOf(await engine.tag(made.id, { add: ['late'] })), 'not-found')
    }),

    withRepository('forgetting removes just what was named and says what it removed', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const first = await snapshot(engine, requestOf(source))
      const second = await snapshot(engine, requestOf(source))
      assert.deepEqual(valueOf(await engine.forget([], { prune: false })).removed, [])
      assert.deepEqual(valueOf(await engine.forget([first.id, unknownId], { prune: true })).removed, [first.id])
      assert.deepEqual(
        valueOf(await engine.snapshots()).map(({ id }) => id),
        [second.id],
      )
      assert.equal(valueOf(await engine.check({ readDataPercent: 100 })).isSound, true)
    }),

    withRepository(
      'retention keeps a quota for each tag set and never touches other hosts and stacks (rivals.md 17)',
      async ({ engine, source }) => {
        if (engine.retain === undefined) return
        writeFileSync(join(source, 'file'), 'content')
        const make = async (host: string, tags: readonly string[]): Promise<string> =>
          (await snapshot(engine, { ...requestOf(source), host, tags })).id
        const [oldA, newA] = [await make('host-a', ['stackbk', 'stack:a']), await make('host-a', ['stackbk', 'stack:a'])]
        const live = await make('host-a', ['stackbk', 'stack:a', 'live'])
        const [oldB, newB] = [await make('host-a', ['stackbk', 'stack:b']), await make('host-a', ['stackbk', 'stack:b'])]
        const others = [
          await make('host-b', ['stackbk', 'stack:a']),
          await make('host-b', ['stackbk', 'stack:a']),
          await make('host-a', ['stackbk', 'stack:c']),
          await make('host-a', ['stackbk', 'stack:c']),
        ]
        const request = {
          policy: keepLast(1),
          host: 'host-a',
          tagSets: [
            ['stackbk', 'stack:a'],
            ['stackbk', 'stack:b'],
          ],
          prune: false,
          dryRun: true,
        }

        assert.deepEqual(valueOf(await engine.retain({ ...request, tagSets: [] })), { removed: [], kept: [] })
        const tried = valueOf(await engine.retain(request))
        assert.deepEqual([...tried.removed].sort(), [oldA, oldB].sort())
        assert.equal(valueOf(await engine.snapshots()).length, 9)

        const result = valueOf(await engine.retain({ ...request, prune: true, dryRun: false }))
        assert.deepEqual([...result.removed].sort(), [oldA, oldB].sort())
        assert.deepEqual([...result.kept].sort(), [newA, live, newB].sort())
        assert.deepEqual(
          valueOf(await engine.snapshots())
            .map(({ id }) => id)
            .sort(),
          [newA, live, newB, ...others].sort(),
        )
        assert.equal((await engine.retain({ ...request, policy: keepLast(0), dryRun: false })).ok, false)
        assert.equal(valueOf(await engine.snapshots()).length, 7)
      },
    ),

    withRepository(
      'a restore gives back content and permissions, of a part alone if asked, and removes what is extra only when told',
      async ({ engine, source, scratch }) => {
        mkdirSync(join(source, 'folder'))
        writeFileSync(join(source, 'folder', 'file'), 'content')
        chmodSync(join(source, 'folder', 'file'), 0o640)
        writeFileSync(join(source, 'top'), 'top')
        const { id } = await snapshot(engine, requestOf(source))
        const request = { snapshot: id, include: [], subfolder: source, deleteExtra: false, sparse: false, verify: true }
        const target = join(scratch, 'target')
        const result = valueOf(await engine.restore({ ...request, target }))
        assert.equal(result.bytes, 10)
        assert.equal(readFileSync(join(target, 'folder', 'file'), 'utf8'), 'content')
        assert.equal(statSync(join(target, 'folder', 'file')).mode & 0o7777, 0o640)

        writeFileSync(join(target, 'extra'), 'extra')
        writeFileSync(join(target, 'top'), 'changed')
        valueOf(await engine.restore({ ...request, target }))
        assert.deepEqual(readdirSync(target).sort(), ['extra', 'folder', 'top'])
        assert.equal(readFileSync(join(target, 'top'), 'utf8'), 'top')
        valueOf(await engine.restore({ ...request, target, deleteExtra: true }))
        assert.deepEqual(readdirSync(target).sort(), ['folder', 'top'])

        const part = join(scratch, 'part')
        valueOf(await engine.restore({ ...request, target: part, include: [join(source, 'top')] }))
        assert.deepEqual(readdirSync(part), ['top'])
        assert.equal(kindOf(await engine.restore({ ...request, target: part, snapshot: unknownId })), 'not-found')
      },
    ),

    withRepository(
      'the layout covers every file of a repository, and names that follow from content do',
      async ({ engine, source, repository }) => {
        if (engine.layout === undefined) return
        writeFileSync(join(source, 'file'), 'content')
        await snapshot(engine, requestOf(source))
        const { groups, ignored } = engine.layout()
        for (const file of filesBelow(repository)) {
          if (ignored.some((folder) => file.startsWith(`${folder}/`))) continue
          const group = groups.find(({ path, isFile }) => (isFile ? file === path : file.startsWith(`${path}/`)))
          assert.ok(group, `${file} is in no group`)
          const name = file.slice(file.lastIndexOf('/') + 1)
          assert.match(name, group.namePattern)
          if (group.nameIs === 'sha256') {
            assert.equal(
              createHash('sha256')
                .update(readFileSync(join(repository, file)))
                .digest('hex'),
              name,
            )
          }
        }
        assert.deepEqual(new Set(groups.map(({ role }) => role)), new Set(['key', 'config', 'data', 'index', 'snapshot']))
        const positionOf = (role: string): number => groups.findIndex((group) => group.role === role)
        assert.ok(positionOf('data') < positionOf('index') && positionOf('index') < positionOf('snapshot'))
      },
    ),

    withRepository(
      'a copy of the files alone, once completed, is a repository of the same ID that can be written to',
      async ({ engine, source, repository, scratch }) => {
        writeFileSync(join(source, 'file'), 'content')
        const { id } = await snapshot(engine, requestOf(source))
        const copy = join(scratch, 'copy')
        for (const file of filesBelow(repository)) {
          mkdirSync(dirname(join(copy, file)), { recursive: true })
          copyFileSync(join(repository, file), join(copy, file))
        }
        if (engine.completeCopy !== undefined) valueOf(await engine.completeCopy(copy))
        const other = engine.at(copy)
        assert.equal(other.location().path, copy)
        assert.equal(valueOf(await other.repositoryId()), valueOf(await engine.repositoryId()))
        assert.deepEqual(
          valueOf(await other.snapshots()).map((entry) => entry.id),
          [id],
        )
        writeFileSync(join(source, 'second'), 'x'.repeat(1000))
        const made = await snapshot(other, { ...requestOf(source), parent: id })
        assert.equal(valueOf(await other.check({ readDataPercent: 100 })).isSound, true)
        assert.deepEqual(
          valueOf(await engine.snapshots()).map((entry) => entry.id),
          [id],
        )
        assert.notEqual(made.id, id)
        await other.close()
      },
    ),
  ]
}

/** Well-formed, and nobody's. */
const unknownId = '0123456789abcdef'.repeat(4)

function requestOf(source: string): SnapshotRequest {
  return { paths: [source], tags: ['stackbk'], host: 'host-a', parent: null, excludes: [] }
}

function keepLast(last: number): RetentionPolicy {
  return { last, daily: 0, weekly: 0, monthly: 0, yearly: 0 }
}

async function snapshot(engine: Engine, request: SnapshotRequest): Promise<SnapshotResult> {
  const prepared = engine.prepare(request)
  valueOf(await prepared.ready)
  return valueOf(await prepared.take())
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

/** Files at any depth, relative to the folder; none where it is not there. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
