import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { Progress } from '../live-provider.js'
import type { TransferRequest, Transport } from '../transport.js'
import { failureOf, valueOf } from './answers.js'
import type { ConformanceTest } from './suite.js'

/** A live transport whose remote is empty, and an empty folder on this host. */
export interface TransportSubject {
  readonly transport: Transport
  readonly localRoot: string
  /** Puts away what was made for it; the suite closes the transport itself. */
  readonly close?: () => Promise<void>
}

/** A probe of a remote that answers may take so long. */
const probeLimitMs = 20_000

/** Enough for a transport that takes another way when there are many. */
const many = 120

const awkwardNames = ['with blank', ' blank before', 'blank after ', 'umlaut-äöü-漢字', '100% of it', '%41', '#hash', 'a*b?[1]{x}', `quotes'"`, '-dash', '--flag', 'a,b;c', '$(echo)', '~tilde', 'semi.partial']

/** What every transport must do. Each test gets a subject of its own from `make`. */
export function transportSuite(make: () => Promise<TransportSubject>): readonly ConformanceTest[] {
  const test = (name: string, body: (subject: Bench) => Promise<void>): ConformanceTest => ({
    name,
    run: async () => {
      const subject = await make()
      try {
        await body(new Bench(subject))
      } finally {
        await subject.transport.close()
        await subject.close?.()
      }
    },
  })

  return [
    test('says where it goes, and is ready', async ({ transport }) => {
      assert.notEqual(transport.location, '')
      valueOf(await transport.ready())
    }),

    test('finds nothing wrong with itself where all is well', async ({ transport }) => {
      const findings = await transport.examine()
      assert.notEqual(findings.length, 0)
      assert.deepEqual(findings.filter(({ status }) => status === 'failed'), [])
    }),

    test('is reached within the limit, and makes nothing on the way', async (bench) => {
      valueOf(await bench.transport.probe({ timeoutMs: probeLimitMs }))
      assert.deepEqual(await bench.paths(), [])
    }),

    test('tells its traits', async ({ transport }) => {
      for (const trait of Object.values(valueOf(await transport.traits()))) assert.equal(typeof trait, 'boolean')
    }),

    test('tells its space in bytes, or that it does not know', async ({ transport }) => {
      for (const bytes of Object.values(valueOf(await transport.space()))) assert.ok(bytes === null || (Number.isFinite(bytes) && bytes >= 0))
    }),

    test('lists an empty remote, and a folder that is not there, as empty', async (bench) => {
      assert.deepEqual(await bench.paths(), [])
      assert.deepEqual(await bench.paths('nowhere/at/all'), [])
      await bench.upload({ 'data/one': '1' })
      assert.deepEqual(await bench.paths('nowhere'), [])
    }),

    test('lists files at any depth, with their sizes', async (bench) => {
      await bench.upload({ config: 'c', 'data/00/deep': 'four', empty: '' })
      const files = valueOf(await bench.transport.list(''))
      assert.deepEqual(
        files.map(({ path, size }) => ({ path, size })).sort((a, b) => (a.path < b.path ? -1 : 1)),
        [
          { path: 'config', size: 1 },
          { path: 'data/00/deep', size: 4 },
          { path: 'empty', size: 0 },
        ],
      )
      for (const { modifiedAt } of files) assert.ok(modifiedAt === null || modifiedAt === new Date(modifiedAt).toISOString())
    }),

    test('lists a folder and not what merely begins like it, with paths from the root', async (bench) => {
      await bench.upload({ 'data/one': '1', 'data/sub/two': '2', 'data2/three': '3', 'data.txt': '4', 'other/data/five': '5' })
      assert.deepEqual(await bench.paths('data'), ['data/one', 'data/sub/two'])
      assert.deepEqual(await bench.paths('data/'), ['data/one', 'data/sub/two'])
      assert.deepEqual(await bench.paths('data/sub'), ['data/sub/two'])
    }),

    test('lists a file itself when given its path, and a folder of the same name as its only file', async (bench) => {
      await bench.upload({ config: 'c', 'twin/twin': 't' })
      assert.deepEqual(await bench.paths('config'), ['config'])
      assert.deepEqual(await bench.paths('twin'), ['twin/twin'])
    }),

    test('uploads the files that were named and no other, and says how many', async (bench) => {
      await bench.write({ 'data/one': 'one', 'data/two': 'twotwo', 'data/three': 'x' })
      const moved = valueOf(await bench.transport.upload(bench.request(['data/one', 'data/two'])))
      assert.deepEqual(moved, { files: 2, bytes: 9 })
      assert.deepEqual(await bench.paths(), ['data/one', 'data/two'])
      assert.equal(await bench.text('data/two'), 'twotwo')
    }),

    test('uploads nothing for an empty list', async (bench) => {
      await bench.write({ 'data/one': 'one' })
      assert.deepEqual(valueOf(await bench.transport.upload(bench.request([]))), { files: 0, bytes: 0 })
      assert.deepEqual(valueOf(await bench.transport.download(bench.request([]))), { files: 0, bytes: 0 })
      assert.deepEqual(await bench.paths(), [])
    }),

    test('names a file that is not here to be uploaded', async (bench) => {
      await bench.write({ 'data/one': 'one' })
      const failure = failureOf(await bench.transport.upload(bench.request(['data/one', 'data/gone'])))
      assert.equal(failure.kind, 'not-found')
      assert.match(failure.message, /data\/gone/)
    }),

    test('keeps a file of the same size where that is asked for, and replaces one of another size', async (bench) => {
      await bench.upload({ same: 'old', other: 'old' })
      await bench.write({ same: 'NEW', other: 'longer' })
      assert.deepEqual(valueOf(await bench.transport.upload({ ...bench.request(['same', 'other']), whenSameSize: 'keep' })), { files: 1, bytes: 6 })
      assert.equal(await bench.text('same'), 'old')
      assert.equal(await bench.text('other'), 'longer')
    }),

    test('replaces a file of the same size where that is asked for', async (bench) => {
      await bench.upload({ config: 'old' })
      await bench.write({ config: 'NEW' })
      assert.deepEqual(valueOf(await bench.transport.upload({ ...bench.request(['config']), whenSameSize: 'replace' })), { files: 1, bytes: 3 })
      assert.equal(await bench.text('config'), 'NEW')
    }),

    test('uploads to a folder below the root', async (bench) => {
      await bench.write({ 'index/one': 'one' })
      valueOf(await bench.transport.upload({ ...bench.request(['index/one']), remoteFolder: 'aside/run-1' }))
      assert.deepEqual(await bench.paths(), ['aside/run-1/index/one'])
    }),

    test('downloads the files that were named and no other, byte for byte', async (bench) => {
      const content = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256)
      await bench.upload({ 'data/00/big': content, empty: '', other: 'x' })
      await bench.clear()
      const moved = valueOf(await bench.transport.download(bench.request(['data/00/big', 'empty'])))
      assert.deepEqual(moved, { files: 2, bytes: content.length })
      assert.deepEqual(new Uint8Array(await bench.local('data/00/big')), content)
      assert.equal((await bench.local('empty')).length, 0)
      await assert.rejects(bench.local('other'))
    }),

    test('downloads from a folder below the root', async (bench) => {
      await bench.upload({ 'aside/data/one': 'one' })
      await bench.clear()
      valueOf(await bench.transport.download({ ...bench.request(['data/one']), remoteFolder: 'aside' }))
      assert.equal((await bench.local('data/one')).toString(), 'one')
    }),

    test('keeps or replaces a file of the same size on download too', async (bench) => {
      await bench.upload({ one: 'remote', two: 'remote' })
      await bench.write({ one: 'local.', two: 'local.' })
      assert.deepEqual(valueOf(await bench.transport.download({ ...bench.request(['one']), whenSameSize: 'keep' })), { files: 0, bytes: 0 })
      assert.equal((await bench.local('one')).toString(), 'local.')
      assert.deepEqual(valueOf(await bench.transport.download({ ...bench.request(['two']), whenSameSize: 'replace' })), { files: 1, bytes: 6 })
      assert.equal((await bench.local('two')).toString(), 'remote')
    }),

    test('names a file that the remote lacks, also when one of that name is here', async (bench) => {
      await bench.upload({ 'data/one': 'one' })
      await bench.write({ 'data/gone': 'here' })
      for (const files of [['data/one', 'data/lost'], ['data/gone'], ['data/one', 'data/gone']]) {
        const failure = failureOf(await bench.transport.download(bench.request(files)))
        assert.equal(failure.kind, 'not-found')
        assert.match(failure.message, /data\/(lost|gone)/)
      }
    }),

    test('moves many files in one call', async (bench) => {
      const names = Array.from({ length: many }, (_, index) => `data/${String(index % 3)}/file-${String(index)}`)
      await bench.upload(Object.fromEntries(names.map((name) => [name, name])))
      assert.deepEqual(await bench.paths(), names.toSorted())
      await bench.clear()
      assert.equal(valueOf(await bench.transport.download(bench.request(names))).files, many)
      assert.equal((await bench.local(names.at(-1) ?? '')).toString(), names.at(-1))
    }),

    test('tells how far a transfer has come', async (bench) => {
      await bench.write({ one: 'x'.repeat(5000) })
      const seen: Progress[] = []
      valueOf(await bench.transport.upload({ ...bench.request(['one']), onProgress: (progress) => seen.push(progress) }))
      assert.equal(seen.at(-1)?.bytesDone, 5000)
    }),

    test('reads a file as a whole, also an empty one', async (bench) => {
      await bench.upload({ 'data/one': 'content', empty: '' })
      assert.equal(await bench.text('data/one'), 'content')
      assert.equal(await bench.text('empty'), '')
    }),

    test('reads a range, its end excluded, cut at the end of the file', async (bench) => {
      await bench.upload({ one: '0123456789' })
      if (!valueOf(await bench.transport.traits()).readsRanges) return
      const range = async (start: number, end: number): Promise<string> => Buffer.from(valueOf(await bench.transport.read('one', { range: { start, end } }))).toString()
      assert.equal(await range(2, 5), '234')
      assert.equal(await range(0, 10), '0123456789')
      assert.equal(await range(8, 100), '89')
      assert.equal(await range(4, 4), '')
      assert.equal(await range(50, 60), '')
    }),

    test('says not-found for a file that is not there, and for a folder', async (bench) => {
      assert.equal(failureOf(await bench.transport.read('nothing')).kind, 'not-found')
      await bench.upload({ 'data/one': 'one' })
      assert.equal(failureOf(await bench.transport.read('data/two')).kind, 'not-found')
      assert.equal(failureOf(await bench.transport.read('data')).kind, 'not-found')
      assert.equal(failureOf(await bench.transport.read('data/two', { range: { start: 0, end: 4 } })).kind, 'not-found')
    }),

    test('moves a file to another folder and to another name', async (bench) => {
      await bench.upload({ 'data/one': 'one', 'data/two': 'two' })
      valueOf(await bench.transport.move('data/one', 'trash/today/data/one'))
      valueOf(await bench.transport.move('data/two', 'data/second'))
      assert.deepEqual(await bench.paths(), ['data/second', 'trash/today/data/one'])
      assert.equal(await bench.text('trash/today/data/one'), 'one')
      assert.equal(await bench.text('data/second'), 'two')
    }),

    test('moves over a file of the same size', async (bench) => {
      await bench.upload({ 'new/config': 'NEW', config: 'old', 'config.new': 'REN' })
      valueOf(await bench.transport.move('new/config', 'config'))
      assert.equal(await bench.text('config'), 'NEW')
      valueOf(await bench.transport.move('config.new', 'config'))
      assert.equal(await bench.text('config'), 'REN')
      assert.deepEqual(await bench.paths(), ['config'])
    }),

    test('takes a move of what is not there for done', async (bench) => {
      valueOf(await bench.transport.move('nothing', 'elsewhere'))
      await bench.upload({ 'data/one': 'one' })
      valueOf(await bench.transport.move('data/nothing', 'data/elsewhere'))
      valueOf(await bench.transport.move('data/nothing', 'trash/nothing'))
      assert.deepEqual(await bench.paths(), ['data/one'])
    }),

    test('moves many files from below one folder to below another, and back', async (bench) => {
      if (bench.transport.moveAll === undefined) return
      const names = ['data/00/one', 'config', ...Array.from({ length: 40 }, (_, index) => `index/${String(index)}`)]
      await bench.upload({ ...Object.fromEntries(names.map((name) => [name, name])), stays: 's' })
      valueOf(await bench.transport.moveAll([...names, 'not/there'], { from: '', to: 'trash/today' }))
      assert.deepEqual(await bench.paths(), ['stays', ...names.map((name) => `trash/today/${name}`)].toSorted())
      valueOf(await bench.transport.moveAll(names, { from: 'trash/today', to: '' }))
      assert.deepEqual(await bench.paths(), ['stays', ...names].toSorted())
      assert.equal(await bench.text('data/00/one'), 'data/00/one')
      valueOf(await bench.transport.moveAll(['a'], { from: 'nowhere', to: 'elsewhere' }))
      valueOf(await bench.transport.moveAll([], { from: '', to: 'elsewhere' }))
      assert.deepEqual(await bench.paths(), ['stays', ...names].toSorted())
    }),

    test('removes the files that were named and no other', async (bench) => {
      await bench.upload({ 'data/one': '1', 'data/one.more': '2', 'data/*': '3', 'data/sub/one': '4' })
      valueOf(await bench.transport.remove(['data/one', 'data/nothing']))
      assert.deepEqual(await bench.paths(), ['data/*', 'data/one.more', 'data/sub/one'])
      valueOf(await bench.transport.remove(['data/*']))
      assert.deepEqual(await bench.paths(), ['data/one.more', 'data/sub/one'])
    }),

    test('removes nothing for an empty list, and takes a removal of what is not there for done', async (bench) => {
      valueOf(await bench.transport.remove(['nothing', 'nowhere/at/all']))
      await bench.upload({ 'data/one': '1' })
      valueOf(await bench.transport.remove([]))
      valueOf(await bench.transport.remove(['data/two', 'nowhere/at/all']))
      assert.deepEqual(await bench.paths(), ['data/one'])
    }),

    test('removes many files in one call', async (bench) => {
      const names = Array.from({ length: 40 }, (_, index) => `data/file-${String(index)}`)
      await bench.upload({ ...Object.fromEntries(names.map((name) => [name, 'x'])), 'data/stays': 's' })
      valueOf(await bench.transport.remove(names))
      assert.deepEqual(await bench.paths(), ['data/stays'])
    }),

    test('takes a name as it is, whatever stands in it', async (bench) => {
      const names = awkwardNames.map((name) => `odd folder/${name}`)
      await bench.upload(Object.fromEntries(names.map((name) => [name, name])))
      assert.deepEqual(await bench.paths(), names.toSorted())
      for (const name of names.slice(0, 3)) assert.equal(await bench.text(name), name)
      await bench.clear()
      valueOf(await bench.transport.download(bench.request(names)))
      for (const name of names) assert.equal((await bench.local(name)).toString(), name)
      valueOf(await bench.transport.remove(names.slice(1)))
      assert.deepEqual(await bench.paths(), names.slice(0, 1))
    }),

    test('refuses a name that leads out of the folder, or cannot be one', async (bench) => {
      await bench.upload({ one: '1' })
      for (const name of ['', '/one', '../one', 'data/../../one', './one', 'a//b', 'line\nbreak']) {
        failureOf(await bench.transport.upload(bench.request([name])))
        failureOf(await bench.transport.download(bench.request([name])))
        failureOf(await bench.transport.remove(['one', name]))
      }
      assert.deepEqual(await bench.paths(), ['one'])
    }),

    test('answers that it was cancelled when its signal is aborted', async (bench) => {
      await bench.write({ one: '1' })
      const signal = AbortSignal.abort()
      assert.equal(failureOf(await bench.transport.list('', { signal })).kind, 'cancelled')
      assert.equal(failureOf(await bench.transport.upload({ ...bench.request(['one']), signal })).kind, 'cancelled')
      assert.equal(failureOf(await bench.transport.read('one', { signal })).kind, 'cancelled')
      assert.equal(failureOf(await bench.transport.remove(['one'], { signal })).kind, 'cancelled')
      assert.equal(failureOf(await bench.transport.move('one', 'two', { signal })).kind, 'cancelled')
      assert.deepEqual(await bench.paths(), [])
    }),
  ]
}

/** The subject with the steps that tests share. A file's content is a text or bytes. */
class Bench {
  readonly transport: Transport
  readonly #home: string
  #round = 0

  constructor({ transport, localRoot }: TransportSubject) {
    this.transport = transport
    this.#home = localRoot
  }

  get root(): string {
    return join(this.#home, String(this.#round))
  }

  /** From here on the folder on this host is another, empty one. */
  async clear(): Promise<void> {
    this.#round += 1
    await mkdir(this.root, { recursive: true })
  }

  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.root, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
    }
  }

  async upload(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    await this.write(files)
    const names = Object.keys(files)
    assert.equal(valueOf(await this.transport.upload({ ...this.request(names), whenSameSize: 'replace' })).files, names.length)
  }

  request(files: readonly string[]): TransferRequest {
    return { files, localRoot: this.root, whenSameSize: 'keep' }
  }

  async paths(prefix = ''): Promise<string[]> {
    return valueOf(await this.transport.list(prefix)).map(({ path }) => path).toSorted()
  }

  async text(path: string): Promise<string> {
    return Buffer.from(valueOf(await this.transport.read(path))).toString()
  }

  async local(path: string): Promise<Buffer> {
    return readFile(join(this.root, path))
  }
}
