import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import type { RetentionPolicy } from '../engine.js'
import { kindOf, valueOf } from './answers.js'
import { damageLargest, filesBelow, requestOf, snapshot, text, unknownId, writeYoungerFile, type EngineBench } from './engine-bench.js'
import { copySentences } from './engine-copies.js'
import { expectEqual, expectThat } from './expectations.js'
import type { ConformanceTest } from './suite.js'

export type { EngineBench } from './engine-bench.js'

/**
 * What the core relies on in every snapshot engine. A sentence about an optional capability (`layout`, `retain`, `eachEntry`) holds for
 * an engine that does not have it.
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
      expectEqual('the kind of failure of open() where there is no repository', kindOf(await engine.open()), 'repository-missing')
      expectEqual('the kind of failure of repositoryId() where there is no repository', kindOf(await engine.repositoryId()), 'repository-missing')
      expectEqual('the kind of failure of snapshots() where there is no repository', kindOf(await engine.snapshots()), 'repository-missing')
      const prepared = engine.prepare(requestOf(source))
      expectEqual('the kind of failure of ready of a prepared snapshot where there is no repository', kindOf(await prepared.ready), 'repository-missing')
      await prepared.abandon()
      expectEqual('the files after questions about a repository that is not there: nothing is made', filesBelow(repository), [])
    }),

    test('a new repository opens under the ID that its making told, and a second making leaves it alone', async ({
      engine,
      repository,
    }) => {
      valueOf(await engine.ready())
      const made = valueOf(await engine.init())
      const opened = valueOf(await engine.open())
      expectEqual('the ID that open() gives, which is the one that init() gave', opened.id, made.id)
      expectThat('the ID of a repository is not empty', opened.id !== '')
      expectEqual('the ID that repositoryId() gives', valueOf(await engine.repositoryId()), made.id)
      expectEqual('location().path, the folder of the repository', engine.location().path, repository)
      const files = filesBelow(repository)
      expectEqual('whether a second init() succeeds', (await engine.init()).ok, false)
      expectEqual('the files of the repository after a second init()', filesBelow(repository), files)
      expectEqual('the ID of the repository after a second init()', valueOf(await engine.repositoryId()), made.id)
    }),

    withRepository('a wrong password is told as such, in the first phase of a snapshot too', async ({ withWrongPassword, source }) => {
      if (withWrongPassword === null) return
      expectEqual('the kind of failure of open() with a wrong password', kindOf(await withWrongPassword.open()), 'wrong-password')
      expectEqual('the kind of failure of snapshots() with a wrong password', kindOf(await withWrongPassword.snapshots()), 'wrong-password')
      const prepared = withWrongPassword.prepare(requestOf(source))
      expectEqual('the kind of failure of ready with a wrong password', kindOf(await prepared.ready), 'wrong-password')
      expectEqual('the kind of failure of take() with a wrong password', kindOf(await prepared.take()), 'wrong-password')
    }),

    withRepository(
      'a snapshot is listed with host, paths, tags and counts, and found by host and tags alone',
      async ({ engine, source }) => {
        writeFileSync(join(source, 'one'), 'one')
        writeFileSync(join(source, 'two'), 'second')
        const tags = ['stackbk', 'stack:a,b', '100%', '%2C', ' blanks around ', 'ünï·çödé', '']
        const made = await snapshot(engine, { ...requestOf(source), tags })
        expectEqual('isComplete of a snapshot of files that can be read', made.isComplete, true)
        expectEqual('filesNew, filesChanged, filesUnmodified and bytesProcessed of a first snapshot of two files', [made.filesNew, made.filesChanged, made.filesUnmodified, made.bytesProcessed], [2, 0, 0, 9])

        const [listed, ...others] = valueOf(await engine.snapshots())
        expectEqual('the snapshots besides the one that was made', others, [])
        expectThat('the snapshot that was made is listed', listed !== undefined)
        expectEqual('the ID in the list, which is the one that take() gave', listed.id, made.id)
        expectEqual('the host in the list', listed.host, 'host-a')
        expectEqual('the paths in the list', listed.paths, [source])
        expectEqual('the tags in the list, as they were given', [...listed.tags].sort(), [...tags].sort())
        expectEqual('parent, files and bytes in the list', [listed.parent, listed.files, listed.bytes], [null, 2, 9])
        expectEqual('the time in the list, in ISO 8601 and UTC', new Date(listed.time).toISOString(), listed.time)

        const found = async (filter: { host?: string; tags?: readonly string[] }): Promise<number> =>
          valueOf(await engine.snapshots(filter)).length
        expectEqual('how many snapshots the right host and tags find', await found({ host: 'host-a', tags }), 1)
        expectEqual('how many snapshots a tag with a comma finds', await found({ tags: ['stack:a,b'] }), 1)
        expectEqual('how many snapshots a part of a tag finds', await found({ tags: ['stack:a'] }), 0)
        expectEqual('how many snapshots another host finds', await found({ host: 'host-b' }), 0)
      },
    ),

    withRepository('a snapshot holds what was there when it was taken, not when it was prepared', async ({ engine, source }) => {
      writeFileSync(join(source, 'before'), 'old')
      const prepared = engine.prepare(requestOf(source))
      valueOf(await prepared.ready)
      writeFileSync(join(source, 'before'), 'new content')
      writeFileSync(join(source, 'between'), 'x')
      const { id } = valueOf(await prepared.take())
      expectEqual('the content of a file that was changed between prepare() and take()', text(valueOf(await engine.read(id, join(source, 'before')))), 'new content')
      expectEqual('the content of a file that was made between prepare() and take()', text(valueOf(await engine.read(id, join(source, 'between')))), 'x')
    }),

    withRepository('the parent is the one that was named, and what did not change is not read again', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      // Some tools never trust the newest file: another one may have been written within the same tick of the clock.
      writeYoungerFile(join(source, 'younger'), join(source, 'file'))
      const first = await snapshot(engine, requestOf(source))
      const second = await snapshot(engine, { ...requestOf(source), parent: first.id })
      expectThat(`a file that did not change, and is not the newest one, counts as unmodified; new ${second.filesNew}, changed ${second.filesChanged}, unmodified ${second.filesUnmodified}`, second.filesUnmodified >= 1 && second.filesNew + second.filesChanged + second.filesUnmodified === 2)
      const unrelated = await snapshot(engine, requestOf(source))
      const listed = valueOf(await engine.snapshots())
      const parentOf = (id: string): string | null | undefined => listed.find((entry) => entry.id === id)?.parent
      expectEqual('the parent in the list, which is the one that was named', parentOf(second.id), first.id)
      expectEqual('the parent in the list where none was named', parentOf(unrelated.id), null)
      expectEqual(
        'the times in the list, oldest first',
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
      expectEqual('the snapshots after two that were abandoned', valueOf(await engine.snapshots()), [])
      expectEqual('the locks after two snapshots that were abandoned', valueOf(await engine.removeStaleLocks()), { removed: 0, held: [] })
    }),

    withRepository('a cancelled snapshot is kind cancelled and leaves nothing', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const prepared = engine.prepare(requestOf(source))
      valueOf(await prepared.ready)
      expectEqual('the kind of failure of take() when its signal is aborted', kindOf(await prepared.take({ signal: AbortSignal.abort() })), 'cancelled')
      expectEqual('the kind of failure of open() when its signal is aborted', kindOf(await engine.open({ signal: AbortSignal.abort() })), 'cancelled')
      expectEqual('the snapshots after one that was cancelled', valueOf(await engine.snapshots()), [])
      expectEqual('the locks after a snapshot that was cancelled', valueOf(await engine.removeStaleLocks()), { removed: 0, held: [] })
    }),

    withRepository('a second snapshot can be prepared while the first is under way', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const first = engine.prepare({ ...requestOf(source), tags: ['first'] })
      const second = engine.prepare({ ...requestOf(source), tags: ['second'] })
      valueOf(await first.ready)
      valueOf(await second.ready)
      const { id } = valueOf(await first.take())
      expectEqual(
        'the IDs in the list while a second snapshot is prepared',
        valueOf(await engine.snapshots()).map((entry) => entry.id),
        [id],
      )
      valueOf(await second.take())
      expectEqual('how many snapshots there are when both were taken', valueOf(await engine.snapshots()).length, 2)
    }),

    withRepository(
      'what cannot be read makes a snapshot that is not complete, and says what it was',
      async ({ engine, source, unreadable }) => {
        if (unreadable === null) return
        writeFileSync(join(source, 'file'), 'content')
        const made = await snapshot(engine, { ...requestOf(source), paths: [source, unreadable] })
        expectEqual('isComplete of a snapshot of which a file cannot be read', made.isComplete, false)
        expectThat(
          'unreadable names the path that could not be read',
          made.unreadable.some((line) => line.includes(unreadable)),
        )
        expectEqual('filesNew of a snapshot of which another file cannot be read', made.filesNew, 1)
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
        expectEqual('isComplete of a snapshot of folders with strange names', made.isComplete, true)
        const files = valueOf(await engine.list(made.id)).filter(({ type }) => type === 'file')
        expectEqual('the files below folders with strange names, and below no other', files.map(({ path }) => path).sort(), asked.map((name) => join(source, name, 'file')).sort())
        expectEqual('the content of a file in a folder with a newline in its name', text(valueOf(await engine.read(made.id, join(source, 'new\nline', 'file')))), 'new\nline')
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
        expectEqual('the folders that include brought back, by their names and not as patterns', readdirSync(join(scratch, source)).sort(), ['*', 'a[bc]?'])
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
      expectEqual('the content of a file that was changed within the same size and modification time', text(valueOf(await engine.read(id, file))), 'after!')
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
      expectEqual('isComplete of a snapshot of a frozen copy', made.isComplete, true)
      expectEqual('the content of a file in a snapshot of a frozen copy, which is that of the copy', text(valueOf(await engine.read(made.id, join(source, 'file')))), 'as it was')
      const listed = valueOf(await engine.snapshots()).find(({ id }) => id === made.id)
      expectEqual('paths and parent of a snapshot of a frozen copy, which are those of the original', [listed?.paths, listed?.parent], [[source], parent.id])
      expectEqual('the content of the original after a snapshot of its frozen copy', readFileSync(join(source, 'file'), 'utf8'), 'written since')
    }),

    withRepository('a listing may be of a part of the snapshot alone', async ({ engine, source }) => {
      mkdirSync(join(source, 'one', 'deep'), { recursive: true })
      mkdirSync(join(source, 'one more'))
      writeFileSync(join(source, 'one', 'deep', 'file'), 'content')
      writeFileSync(join(source, 'one more', 'file'), 'content')
      const { id } = await snapshot(engine, requestOf(source))
      const below = async (...path: string[]): Promise<string[]> => valueOf(await engine.list(id, { below: join(source, ...path) })).map(({ path: found }) => found)
      expectEqual('the entries below a folder, and not those of a name that only begins like it', await below('one'), [join(source, 'one'), join(source, 'one', 'deep'), join(source, 'one', 'deep', 'file')])
      expectEqual('the entry of a file alone', await below('one', 'deep', 'file'), [join(source, 'one', 'deep', 'file')])
      expectEqual('the entries below what is not in the snapshot', await below('nothing'), [])
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
      expectEqual('the entries of eachEntry(), which are those of list()', seen, valueOf(await engine.list(id)).map(({ path }) => path))
      const below: string[] = []
      valueOf(await engine.eachEntry(id, ({ path }) => below.push(path), { below: join(source, 'kept') }))
      expectEqual('the entries of eachEntry() below a folder', below, [join(source, 'kept'), join(source, 'kept', 'file')])
      valueOf(await engine.restore({ snapshot: id, target: scratch, include: [], exclude: [join(source, 'left *out')], subfolder: '', deleteExtra: false, sparse: false, verify: false }))
      expectEqual('what a restore brings back when a folder is excluded', readdirSync(join(scratch, source)), ['kept'])
      const isExcluded = engine.excludeFilter?.(['*.tmp']) ?? ((path: string) => path.endsWith('.tmp'))
      expectEqual('whether *.tmp excludes a.tmp, and whether it excludes a', [isExcluded(join(source, 'a.tmp')), isExcluded(join(source, 'a'))], [true, false])
    }),

    withRepository('a relative exclude pattern acts below the paths of a snapshot, not on the folders above them nor on themselves', async ({ engine, source }) => {
      mkdirSync(join(source, basename(source)))
      for (const path of ['file', join(basename(source), 'file')]) writeFileSync(join(source, path), 'content')
      const patterns = [basename(source), basename(dirname(source))]
      const { id } = await snapshot(engine, { ...requestOf(source), excludes: patterns })
      const isExcluded = engine.excludeFilter?.(patterns, [source])
      const listed = valueOf(await engine.list(id)).map(({ path }) => path)
      expectEqual('whether a snapshot holds a file, with the names of its path and of the folder above it as patterns', listed.includes(join(source, 'file')), true)
      if (isExcluded !== undefined) expectEqual('whether excludeFilter() with the roots excludes the path, a file in it, and the folder of its name in it', [isExcluded(source), isExcluded(join(source, 'file')), isExcluded(join(source, basename(source)))], [false, false, true])
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
      expectEqual('type, bytes, mode and modifiedAt of a file', entryOf('file'), ['file', 7, 0o4751, statSync(join(source, 'file')).mtime.toISOString()])
      expectEqual('type, bytes, mode and modifiedAt of a folder', entryOf('folder'), ['directory', 0, 0o1777, statSync(join(source, 'folder')).mtime.toISOString()])
      expectEqual('the kind of failure of read() of a path that is not in the snapshot', kindOf(await engine.read(id, join(source, 'nothing'))), 'not-found')
      expectEqual('the kind of failure of read() of a folder', kindOf(await engine.read(id, join(source, 'folder'))), 'not-found')
      expectEqual('the kind of failure of list() of a snapshot that is not there', kindOf(await engine.list(unknownId)), 'not-found')
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
          expectEqual(
            'the IDs in the answer of verify(), in the order that was asked for',
            results.map((result) => result.id),
            ids,
          )
          expectThat('reason is empty exactly where isSound is true', results.every(({ isSound, reason }) => isSound === (reason === '')))
          return results.map(({ isSound }) => isSound)
        }
        expectEqual('the verdicts of verify() for no snapshot', await ask('metadata', []), [])
        for (const depth of ['metadata', 'files', 'data'] as const) {
          expectEqual(`whether two intact snapshots are intact at the depth ${depth}`, await ask(depth, [second.id, id]), [true, true])
          expectEqual(`whether an intact snapshot and one that is not there are intact at the depth ${depth}`, await ask(depth, [id, unknownId]), [true, false])
        }
        expectEqual('whether a snapshot is intact that holds as many files as it must', await ask('files', [id], 1), [true])
        expectEqual('whether a snapshot is intact that must hold more files than it does', await ask('files', [id], 2), [false])
        expectEqual(
          'whether a snapshot is intact that must hold more bytes than it does',
          valueOf(await engine.verify([{ id, files: 1, bytes: 8 }], 'files')).map(({ isSound }) => isSound),
          [false],
        )
      },
    ),

    withRepository('damaged data is found when all data is read back', async ({ engine, source, repository }) => {
      writeFileSync(join(source, 'file'), randomBytes(1024 * 1024))
      const { id } = await snapshot(engine, requestOf(source))
      damageLargest(repository)
      const checked = await engine.check({ readDataPercent: 100 })
      expectThat('check({ readDataPercent: 100 }) finds the damage: isSound is false with errors, or it fails with the kind corrupt', checked.ok ? !checked.value.isSound && checked.value.errors.length > 0 : checked.failure.kind === 'corrupt')
      const verified = await engine.verify([{ id, files: null, bytes: null }], 'data')
      expectThat('verify() at the depth data finds the damage: isSound is false, or it fails with the kind corrupt', verified.ok ? verified.value[0]?.isSound === false : verified.failure.kind === 'corrupt')
    }),

    withRepository('changed tags give a new ID, which is the answer and takes the place of the old one', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const other = await snapshot(engine, requestOf(source))
      const made = await snapshot(engine, requestOf(source))
      const { id } = valueOf(await engine.tag(made.id, { add: ['live', 'x,y'] }))
      const again = valueOf(await engine.tag(id, { add: ['partial'], remove: ['live'] }))
      const listed = valueOf(await engine.snapshots())
      expectEqual('the IDs of the snapshots after a change of tags: the new one takes the place of the old one', listed.map((entry) => entry.id).sort(), [other.id, again.id].sort())
      expectEqual('the tags after two changes', [...(listed.find((entry) => entry.id === again.id)?.tags ?? [])].sort(), ['partial', 'stackbk', 'x,y'])
      expectEqual('the ID after a change of tags that changes nothing', valueOf(await engine.tag(again.id, { add: ['partial'] })).id, again.id)
      expectEqual('the kind of failure of tag() for an ID that was replaced', kindOf(await engine.tag(made.id, { add: ['late'] })), 'not-found')
    }),

    withRepository('forgetting removes just what was named and says what it removed', async ({ engine, source }) => {
      writeFileSync(join(source, 'file'), 'content')
      const first = await snapshot(engine, requestOf(source))
      const second = await snapshot(engine, requestOf(source))
      expectEqual('what forget() of nothing has removed', valueOf(await engine.forget([], { prune: false })).removed, [])
      expectEqual('what forget() has removed: the one that is there', valueOf(await engine.forget([first.id, unknownId], { prune: true })).removed, [first.id])
      expectEqual(
        'the IDs in the list after forget()',
        valueOf(await engine.snapshots()).map(({ id }) => id),
        [second.id],
      )
      expectEqual('whether the repository is intact after forget() with prune', valueOf(await engine.check({ readDataPercent: 100 })).isSound, true)
    }),

    withRepository(
      'retention keeps a quota for each tag set and never touches other hosts and stacks',
      async ({ engine, source }) => {
        // Without it the core chooses by itself, and forgets what it chose.
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

        expectEqual('what retain() removes and keeps without any set of tags', valueOf(await engine.retain({ ...request, tagSets: [] })), { removed: [], kept: [] })
        const tried = valueOf(await engine.retain(request))
        expectEqual('what a dry run of retain() would remove', [...tried.removed].sort(), [oldA, oldB].sort())
        expectEqual('how many snapshots there are after a dry run of retain()', valueOf(await engine.snapshots()).length, 9)

        const result = valueOf(await engine.retain({ ...request, prune: true, dryRun: false }))
        expectEqual('what retain() has removed', [...result.removed].sort(), [oldA, oldB].sort())
        expectEqual('what retain() has kept', [...result.kept].sort(), [newA, live, newB].sort())
        expectEqual(
          'the IDs in the list after retain()',
          valueOf(await engine.snapshots())
            .map(({ id }) => id)
            .sort(),
          [newA, live, newB, ...others].sort(),
        )
        expectEqual('whether retain() accepts a policy that keeps nothing', (await engine.retain({ ...request, policy: keepLast(0), dryRun: false })).ok, false)
        expectEqual('how many snapshots there are after a policy that was refused', valueOf(await engine.snapshots()).length, 7)
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
        expectEqual('the bytes of the files that a restore has brought back', result.bytes, 10)
        expectEqual('the content of a restored file', readFileSync(join(target, 'folder', 'file'), 'utf8'), 'content')
        expectEqual('the permissions of a restored file', statSync(join(target, 'folder', 'file')).mode & 0o7777, 0o640)

        writeFileSync(join(target, 'extra'), 'extra')
        writeFileSync(join(target, 'top'), 'changed')
        valueOf(await engine.restore({ ...request, target }))
        expectEqual('the names in the target: what is extra stays', readdirSync(target).sort(), ['extra', 'folder', 'top'])
        expectEqual('the content of a file that was changed in the target', readFileSync(join(target, 'top'), 'utf8'), 'top')
        valueOf(await engine.restore({ ...request, target, deleteExtra: true }))
        expectEqual('the names in the target: what is extra goes with deleteExtra', readdirSync(target).sort(), ['folder', 'top'])

        const part = join(scratch, 'part')
        valueOf(await engine.restore({ ...request, target: part, include: [join(source, 'top')] }))
        expectEqual('the names in the target of a restore of one file', readdirSync(part), ['top'])
        expectEqual('the kind of failure of restore() of a snapshot that is not there', kindOf(await engine.restore({ ...request, target: part, snapshot: unknownId })), 'not-found')
      },
    ),


    ...copySentences.map(([name, body]) => withRepository(name, body)),
  ]
}

function keepLast(last: number): RetentionPolicy {
  return { last, daily: 0, weekly: 0, monthly: 0, yearly: 0 }
}
