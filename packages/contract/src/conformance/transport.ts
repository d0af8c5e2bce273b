import type { Progress } from '../live-provider.js'
import { failureOf, valueOf } from './answers.js'
import { expectEqual, expectMatch, expectThat } from './expectations.js'
import type { ConformanceTest } from './suite.js'
import { TransportBench, type TransportSubject } from './transport-bench.js'
import { traitSentences } from './transport-traits.js'

export type { TransportSubject } from './transport-bench.js'

/** A probe of a remote that answers may take so long. */
const probeLimitMs = 20_000

/** Enough for a transport that takes another way when there are many. */
const many = 120

const awkwardNames = ['with blank', ' blank before', 'blank after ', 'umlaut-äöü-漢字', '100% of it', '%41', '#hash', 'a*b?[1]{x}', `quotes'"`, '-dash', '--flag', 'a,b;c', '$(echo)', '~tilde', 'semi.partial']

/** What every transport must do. Each test gets a subject of its own from `make`. */
export function transportSuite(make: () => Promise<TransportSubject>): readonly ConformanceTest[] {
  const test = (name: string, body: (bench: TransportBench) => Promise<void>): ConformanceTest => ({
    name,
    run: async () => {
      const subject = await make()
      try {
        await body(new TransportBench(subject))
      } finally {
        await subject.transport.close()
        await subject.unreachable?.close()
        await subject.close?.()
      }
    },
  })

  return [
    test('says where it goes, and is ready', async ({ transport }) => {
      expectThat('location names the place of the copy', transport.location !== '')
      valueOf(await transport.ready())
    }),

    test('finds nothing wrong with itself where all is well', async ({ transport }) => {
      const findings = await transport.examine()
      expectThat('examine() gives at least one finding', findings.length > 0)
      expectEqual('the findings of examine() that failed, where all is well', findings.filter(({ status }) => status === 'failed'), [])
    }),

    test('is reached within the limit, and makes nothing on the way', async (bench) => {
      valueOf(await bench.transport.probe({ timeoutMs: probeLimitMs }))
      expectEqual('the files on the remote after a probe, which makes nothing', await bench.paths(), [])
    }),

    test('tells its traits', async ({ transport }) => {
      for (const trait of Object.values(valueOf(await transport.traits()))) expectEqual('the type of each trait', typeof trait, 'boolean')
    }),

    test('tells its space in bytes, or that it does not know', async ({ transport }) => {
      for (const bytes of Object.values(valueOf(await transport.space()))) expectThat('space() gives each number of bytes as a number that is not negative, or null', bytes === null || (Number.isFinite(bytes) && bytes >= 0))
    }),

    test('lists an empty remote, and a folder that is not there, as empty', async (bench) => {
      expectEqual('the files of a remote that is empty', await bench.paths(), [])
      expectEqual('the files of a folder that is not there, on a remote that is empty', await bench.paths('nowhere/at/all'), [])
      await bench.upload({ 'data/one': '1' })
      expectEqual('the files of a folder that is not there', await bench.paths('nowhere'), [])
    }),

    test('lists files at any depth, with their sizes', async (bench) => {
      await bench.upload({ config: 'c', 'data/00/deep': 'four', empty: '' })
      const files = valueOf(await bench.transport.list(''))
      expectEqual(
        'the paths and sizes of the files on the remote',
        files.map(({ path, size }) => ({ path, size })).sort((a, b) => (a.path < b.path ? -1 : 1)),
        [
          { path: 'config', size: 1 },
          { path: 'data/00/deep', size: 4 },
          { path: 'empty', size: 0 },
        ],
      )
      for (const { modifiedAt } of files) expectThat('list() gives modifiedAt as null or as ISO 8601 in UTC', modifiedAt === null || modifiedAt === new Date(modifiedAt).toISOString())
    }),

    test('lists a folder and not what merely begins like it, with paths from the root', async (bench) => {
      await bench.upload({ 'data/one': '1', 'data/sub/two': '2', 'data2/three': '3', 'data.txt': '4', 'other/data/five': '5' })
      expectEqual('the files below data, and not those of names that only begin like it', await bench.paths('data'), ['data/one', 'data/sub/two'])
      expectEqual('the files below data/, with a slash at the end', await bench.paths('data/'), ['data/one', 'data/sub/two'])
      expectEqual('the files below data/sub', await bench.paths('data/sub'), ['data/sub/two'])
    }),

    test('lists a file itself when given its path, and a folder of the same name as its only file', async (bench) => {
      await bench.upload({ config: 'c', 'twin/twin': 't' })
      expectEqual('what list() gives for the path of a file: that file', await bench.paths('config'), ['config'])
      expectEqual('what list() gives for a folder that holds a file of its own name', await bench.paths('twin'), ['twin/twin'])
    }),

    test('uploads the files that were named and no other, and says how many', async (bench) => {
      await bench.write({ 'data/one': 'one', 'data/two': 'twotwo', 'data/three': 'x' })
      const moved = valueOf(await bench.transport.upload(bench.request(['data/one', 'data/two'])))
      expectEqual('what upload() says to have moved', moved, { files: 2, bytes: 9 })
      expectEqual('the files on the remote: those that were named and no other', await bench.paths(), ['data/one', 'data/two'])
      expectEqual('the content of an uploaded file', await bench.text('data/two'), 'twotwo')
    }),

    test('uploads nothing for an empty list', async (bench) => {
      await bench.write({ 'data/one': 'one' })
      expectEqual('what upload() says to have moved for an empty list', valueOf(await bench.transport.upload(bench.request([]))), { files: 0, bytes: 0 })
      expectEqual('what download() says to have moved for an empty list', valueOf(await bench.transport.download(bench.request([]))), { files: 0, bytes: 0 })
      expectEqual('the files on the remote after an upload of nothing', await bench.paths(), [])
    }),

    test('names a file that is not here to be uploaded', async (bench) => {
      await bench.write({ 'data/one': 'one' })
      const failure = failureOf(await bench.transport.upload(bench.request(['data/one', 'data/gone'])))
      expectEqual('the kind of failure when a file to upload is not on this host', failure.kind, 'not-found')
      expectMatch('the failure names the file that is not on this host', failure.message, /data\/gone/)
    }),

    test('keeps a file of the same size where that is asked for, and replaces one of another size', async (bench) => {
      await bench.upload({ same: 'old', other: 'old' })
      await bench.write({ same: 'NEW', other: 'longer' })
      expectEqual('what upload() says to have moved with whenSameSize: keep', valueOf(await bench.transport.upload({ ...bench.request(['same', 'other']), whenSameSize: 'keep' })), { files: 1, bytes: 6 })
      expectEqual('the content of a file of the same size, which is kept', await bench.text('same'), 'old')
      expectEqual('the content of a file of another size, which is replaced', await bench.text('other'), 'longer')
    }),

    test('replaces a file of the same size where that is asked for', async (bench) => {
      await bench.upload({ config: 'old' })
      await bench.write({ config: 'NEW' })
      expectEqual('what upload() says to have moved with whenSameSize: replace', valueOf(await bench.transport.upload({ ...bench.request(['config']), whenSameSize: 'replace' })), { files: 1, bytes: 3 })
      expectEqual('the content of a file of the same size, which is replaced', await bench.text('config'), 'NEW')
    }),

    test('uploads to a folder below the root', async (bench) => {
      await bench.write({ 'index/one': 'one' })
      valueOf(await bench.transport.upload({ ...bench.request(['index/one']), remoteFolder: 'aside/run-1' }))
      expectEqual('the files on the remote after an upload with remoteFolder', await bench.paths(), ['aside/run-1/index/one'])
    }),

    test('downloads the files that were named and no other, byte for byte', async (bench) => {
      const content = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256)
      await bench.upload({ 'data/00/big': content, empty: '', other: 'x' })
      await bench.clear()
      const moved = valueOf(await bench.transport.download(bench.request(['data/00/big', 'empty'])))
      expectEqual('what download() says to have moved', moved, { files: 2, bytes: content.length })
      expectEqual('the bytes of a downloaded file', new Uint8Array(await bench.local('data/00/big')), content)
      expectEqual('the size of an empty file that was downloaded', (await bench.local('empty')).length, 0)
      expectThat('a file that was not named is not downloaded', await bench.local('other').then(() => false, () => true))
    }),

    test('downloads from a folder below the root', async (bench) => {
      await bench.upload({ 'aside/data/one': 'one' })
      await bench.clear()
      valueOf(await bench.transport.download({ ...bench.request(['data/one']), remoteFolder: 'aside' }))
      expectEqual('the content of a file that was downloaded with remoteFolder', (await bench.local('data/one')).toString(), 'one')
    }),

    test('keeps or replaces a file of the same size on download too', async (bench) => {
      await bench.upload({ one: 'remote', two: 'remote' })
      await bench.write({ one: 'local.', two: 'local.' })
      expectEqual('what download() says to have moved with whenSameSize: keep', valueOf(await bench.transport.download({ ...bench.request(['one']), whenSameSize: 'keep' })), { files: 0, bytes: 0 })
      expectEqual('the content of a local file of the same size, which is kept', (await bench.local('one')).toString(), 'local.')
      expectEqual('what download() says to have moved with whenSameSize: replace', valueOf(await bench.transport.download({ ...bench.request(['two']), whenSameSize: 'replace' })), { files: 1, bytes: 6 })
      expectEqual('the content of a local file of the same size, which is replaced', (await bench.local('two')).toString(), 'remote')
    }),

    test('names a file that the remote lacks, also when one of that name is here', async (bench) => {
      await bench.upload({ 'data/one': 'one' })
      await bench.write({ 'data/gone': 'here' })
      for (const files of [['data/one', 'data/lost'], ['data/gone'], ['data/one', 'data/gone']]) {
        const failure = failureOf(await bench.transport.download(bench.request(files)))
        expectEqual('the kind of failure when the remote lacks a file', failure.kind, 'not-found')
        expectMatch('the failure names the file that the remote lacks', failure.message, /data\/(lost|gone)/)
      }
    }),

    test('moves many files in one call', async (bench) => {
      const names = Array.from({ length: many }, (_, index) => `data/${String(index % 3)}/file-${String(index)}`)
      await bench.upload(Object.fromEntries(names.map((name) => [name, name])))
      expectEqual('the files on the remote after an upload of many', await bench.paths(), names.toSorted())
      await bench.clear()
      expectEqual('how many files download() says to have moved', valueOf(await bench.transport.download(bench.request(names))).files, many)
      expectEqual('the content of the last of many downloaded files', (await bench.local(names.at(-1) ?? '')).toString(), names.at(-1))
    }),

    test('tells how far a transfer has come', async (bench) => {
      await bench.write({ one: 'x'.repeat(5000) })
      const seen: Progress[] = []
      valueOf(await bench.transport.upload({ ...bench.request(['one']), onProgress: (progress) => seen.push(progress) }))
      expectEqual('bytesDone in the last report of the progress', seen.at(-1)?.bytesDone, 5000)
    }),

    test('reads a file as a whole, also an empty one', async (bench) => {
      await bench.upload({ 'data/one': 'content', empty: '' })
      expectEqual('the content that read() gives', await bench.text('data/one'), 'content')
      expectEqual('the content that read() gives for an empty file', await bench.text('empty'), '')
    }),

    test('reads a range, its end excluded, cut at the end of the file', async (bench) => {
      await bench.upload({ one: '0123456789' })
      if (!valueOf(await bench.transport.traits()).readsRanges) return
      const range = async (start: number, end: number): Promise<string> => Buffer.from(valueOf(await bench.transport.read('one', { range: { start, end } }))).toString()
      expectEqual('a range within a file, its end excluded', await range(2, 5), '234')
      expectEqual('a range that is the file', await range(0, 10), '0123456789')
      expectEqual('a range that ends behind the file is cut at its end', await range(8, 100), '89')
      expectEqual('an empty range', await range(4, 4), '')
      expectEqual('a range that begins behind the file', await range(50, 60), '')
    }),

    test('says not-found for a file that is not there, and for a folder', async (bench) => {
      expectEqual('the kind of failure when a file to read is not there', failureOf(await bench.transport.read('nothing')).kind, 'not-found')
      await bench.upload({ 'data/one': 'one' })
      expectEqual('the kind of failure when a file to read is not in a folder that is there', failureOf(await bench.transport.read('data/two')).kind, 'not-found')
      expectEqual('the kind of failure when a folder is read', failureOf(await bench.transport.read('data')).kind, 'not-found')
      expectEqual('the kind of failure when a range of a file that is not there is read', failureOf(await bench.transport.read('data/two', { range: { start: 0, end: 4 } })).kind, 'not-found')
    }),

    test('moves a file to another folder and to another name', async (bench) => {
      await bench.upload({ 'data/one': 'one', 'data/two': 'two' })
      valueOf(await bench.transport.move('data/one', 'trash/today/data/one'))
      valueOf(await bench.transport.move('data/two', 'data/second'))
      expectEqual('the files on the remote after both moves', await bench.paths(), ['data/second', 'trash/today/data/one'])
      expectEqual('the content of a file that was moved to another folder', await bench.text('trash/today/data/one'), 'one')
      expectEqual('the content of a file that was moved to another name', await bench.text('data/second'), 'two')
    }),

    test('moves over a file of the same size', async (bench) => {
      await bench.upload({ 'new/config': 'NEW', config: 'old', 'config.new': 'REN' })
      valueOf(await bench.transport.move('new/config', 'config'))
      expectEqual('the content after a move from another folder over a file of the same size', await bench.text('config'), 'NEW')
      valueOf(await bench.transport.move('config.new', 'config'))
      expectEqual('the content after a move from the same folder over a file of the same size', await bench.text('config'), 'REN')
      expectEqual('the files on the remote: what was moved is gone from its old place', await bench.paths(), ['config'])
    }),

    test('takes a move of what is not there for done', async (bench) => {
      valueOf(await bench.transport.move('nothing', 'elsewhere'))
      await bench.upload({ 'data/one': 'one' })
      valueOf(await bench.transport.move('data/nothing', 'data/elsewhere'))
      valueOf(await bench.transport.move('data/nothing', 'trash/nothing'))
      expectEqual('the files on the remote after moves of what is not there', await bench.paths(), ['data/one'])
    }),

    test('moves many files from below one folder to below another, and back', async (bench) => {
      if (bench.transport.moveAll === undefined) return
      const names = ['data/00/one', 'config', ...Array.from({ length: 40 }, (_, index) => `index/${String(index)}`)]
      await bench.upload({ ...Object.fromEntries(names.map((name) => [name, name])), stays: 's' })
      valueOf(await bench.transport.moveAll([...names, 'not/there'], { from: '', to: 'trash/today' }))
      expectEqual('the files on the remote after moveAll() to a folder', await bench.paths(), ['stays', ...names.map((name) => `trash/today/${name}`)].toSorted())
      valueOf(await bench.transport.moveAll(names, { from: 'trash/today', to: '' }))
      expectEqual('the files on the remote after moveAll() back', await bench.paths(), ['stays', ...names].toSorted())
      expectEqual('the content of a file that was moved there and back', await bench.text('data/00/one'), 'data/00/one')
      valueOf(await bench.transport.moveAll(['a'], { from: 'nowhere', to: 'elsewhere' }))
      valueOf(await bench.transport.moveAll([], { from: '', to: 'elsewhere' }))
      expectEqual('the files on the remote after moveAll() of nothing, and of what is not there', await bench.paths(), ['stays', ...names].toSorted())
    }),

    test('removes the files that were named and no other', async (bench) => {
      await bench.upload({ 'data/one': '1', 'data/one.more': '2', 'data/*': '3', 'data/sub/one': '4' })
      valueOf(await bench.transport.remove(['data/one', 'data/nothing']))
      expectEqual('the files on the remote: only the named one is removed', await bench.paths(), ['data/*', 'data/one.more', 'data/sub/one'])
      valueOf(await bench.transport.remove(['data/*']))
      expectEqual('the files on the remote: a * in a name is no pattern', await bench.paths(), ['data/one.more', 'data/sub/one'])
    }),

    test('removes nothing for an empty list, and takes a removal of what is not there for done', async (bench) => {
      valueOf(await bench.transport.remove(['nothing', 'nowhere/at/all']))
      await bench.upload({ 'data/one': '1' })
      valueOf(await bench.transport.remove([]))
      valueOf(await bench.transport.remove(['data/two', 'nowhere/at/all']))
      expectEqual('the files on the remote after removals of nothing, and of what is not there', await bench.paths(), ['data/one'])
    }),

    test('removes many files in one call', async (bench) => {
      const names = Array.from({ length: 40 }, (_, index) => `data/file-${String(index)}`)
      await bench.upload({ ...Object.fromEntries(names.map((name) => [name, 'x'])), 'data/stays': 's' })
      valueOf(await bench.transport.remove(names))
      expectEqual('the files on the remote after the removal of many', await bench.paths(), ['data/stays'])
    }),

    test('takes a name as it is, whatever stands in it', async (bench) => {
      const names = awkwardNames.map((name) => `odd folder/${name}`)
      await bench.upload(Object.fromEntries(names.map((name) => [name, name])))
      expectEqual('the files on the remote, with characters that mean something elsewhere', await bench.paths(), names.toSorted())
      for (const name of names.slice(0, 3)) expectEqual(`the content of the file ${name}`, await bench.text(name), name)
      await bench.clear()
      valueOf(await bench.transport.download(bench.request(names)))
      for (const name of names) expectEqual(`the content of the downloaded file ${name}`, (await bench.local(name)).toString(), name)
      valueOf(await bench.transport.remove(names.slice(1)))
      expectEqual('the files on the remote: all but one are removed', await bench.paths(), names.slice(0, 1))
    }),

    test('refuses a name that leads out of the folder, or cannot be one', async (bench) => {
      await bench.upload({ one: '1' })
      for (const name of ['', '/one', '../one', 'data/../../one', './one', 'a//b', 'line\nbreak']) {
        failureOf(await bench.transport.upload(bench.request([name])))
        failureOf(await bench.transport.download(bench.request([name])))
        failureOf(await bench.transport.remove(['one', name]))
      }
      expectEqual('the files on the remote after names that are refused', await bench.paths(), ['one'])
    }),

    test('answers that it was cancelled when its signal is aborted', async (bench) => {
      await bench.write({ one: '1' })
      const signal = AbortSignal.abort()
      expectEqual('the kind of failure of list() when its signal is aborted', failureOf(await bench.transport.list('', { signal })).kind, 'cancelled')
      expectEqual('the kind of failure of upload() when its signal is aborted', failureOf(await bench.transport.upload({ ...bench.request(['one']), signal })).kind, 'cancelled')
      expectEqual('the kind of failure of read() when its signal is aborted', failureOf(await bench.transport.read('one', { signal })).kind, 'cancelled')
      expectEqual('the kind of failure of remove() when its signal is aborted', failureOf(await bench.transport.remove(['one'], { signal })).kind, 'cancelled')
      expectEqual('the kind of failure of move() when its signal is aborted', failureOf(await bench.transport.move('one', 'two', { signal })).kind, 'cancelled')
      expectEqual('the files on the remote after calls that were cancelled', await bench.paths(), [])
    }),

    test('says that a remote which is not there cannot be reached, and never that it is empty', async ({ unreachable }) => {
      if (unreachable === null) return
      const begun = performance.now()
      expectEqual('the kind of failure of probe() where the remote is not there', failureOf(await unreachable.probe({ timeoutMs: probeLimitMs })).kind, 'remote-unreachable')
      expectThat('probe() answers within its limit where the remote is not there', performance.now() - begun < 1.5 * probeLimitMs)
      for (const folder of ['', 'data']) expectEqual(`the kind of failure of list(${JSON.stringify(folder)}) where the remote is not there`, failureOf(await unreachable.list(folder)).kind, 'remote-unreachable')
      expectEqual('the kind of failure of read() where the remote is not there', failureOf(await unreachable.read('config')).kind, 'remote-unreachable')
    }),

    ...traitSentences.map(([name, body]) => test(name, body)),
  ]
}
