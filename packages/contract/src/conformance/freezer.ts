import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Freezer, FrozenCopy } from '../freezer.js'
import { valueOf } from './answers.js'
import { expectEqual, expectThat } from './expectations.js'
import type { ConformanceTest } from './suite.js'

/** A live freezer, and places to try it on. */
export interface FreezerSubject {
  readonly freezer: Freezer
  /** An empty folder that it can freeze. */
  readonly directory: string
  /** A folder that it cannot freeze. */
  readonly foreignDirectory: string
  /** Puts away what was made for it; the suite closes the freezer itself. */
  readonly close?: () => Promise<void>
}

/** What every freezer must do. Each test gets a subject of its own from `make`. */
export function freezerSuite(make: () => Promise<FreezerSubject>): readonly ConformanceTest[] {
  const test = (name: string, body: (subject: FreezerSubject) => Promise<void>): ConformanceTest => ({
    name,
    run: async () => {
      const subject = await make()
      try {
        await body(subject)
      } finally {
        await subject.freezer.close()
        await subject.close?.()
      }
    },
  })

  return [
    test('is ready, and finds nothing wrong with itself', async ({ freezer }) => {
      valueOf(await freezer.ready())
      expectEqual('the findings of examine() that failed, where all is well', (await freezer.examine()).filter(({ status }) => status === 'failed'), [])
    }),

    test('says where it can work, and why not where it cannot', async ({ freezer, directory, foreignDirectory }) => {
      valueOf(await freezer.canFreeze([directory]))
      for (const paths of [[foreignDirectory], [directory, foreignDirectory]]) {
        const answer = await freezer.canFreeze(paths)
        expectThat('canFreeze() refuses what lies on another file system', !answer.ok)
        expectEqual('the kind of failure of canFreeze()', answer.failure.kind, 'unsupported')
        expectThat('the failure has a message', answer.failure.message !== '')
      }
    }),

    test('shows every path as it was at that instant, whatever is written afterwards', async ({ freezer, directory }) => {
      const paths = [join(directory, 'stack'), join(directory, 'volume')]
      for (const path of paths) {
        await mkdir(path)
        await writeFile(join(path, 'file'), 'before')
      }
      const copy = valueOf(await freezer.freeze(paths, { label: 'conformance' }))
      for (const path of paths) {
        await writeFile(join(path, 'file'), 'after')
        await writeFile(join(path, 'new'), 'after')
        expectEqual('the content of a file in the copy, which is as it was when it was frozen', await readFile(inCopy(copy, join(path, 'file')), 'utf8'), 'before')
        expectThat('a file that was made after the freeze is not in the copy', await readFile(inCopy(copy, join(path, 'new'))).then(() => false, () => true))
      }
      valueOf(await freezer.release(copy))
      expectEqual('the content of the original, which was changed after that', await readFile(join(directory, 'stack', 'file'), 'utf8'), 'after')
    }),

    test('finds a copy again by its label, and none once it is released', async ({ freezer, directory }) => {
      await writeFile(join(directory, 'file'), 'content')
      const copy = valueOf(await freezer.freeze([directory], { label: 'conformance-left' }))
      const left = valueOf(await freezer.leftovers([directory]))
      expectEqual('the labels of what leftovers() finds', left.map(({ label }) => label), ['conformance-left'])
      // As a later run does it, with nothing but what the journal holds.
      valueOf(await freezer.release(JSON.parse(JSON.stringify(copy)) as FrozenCopy))
      expectEqual('what leftovers() finds after a release', valueOf(await freezer.leftovers([directory])), [])
      // A kill may come between the release and its note in the journal.
      valueOf(await freezer.release(copy))
    }),

    test('shows single files too, and settles without a trace before', async ({ freezer, directory }) => {
      const path = join(directory, 'file')
      await writeFile(path, 'before')
      if (freezer.settle !== undefined) valueOf(await freezer.settle([path]))
      expectEqual('what leftovers() finds after settle()', valueOf(await freezer.leftovers([path])), [])
      const copy = valueOf(await freezer.freeze([path], { label: 'conformance-file' }))
      await writeFile(path, 'after')
      expectEqual('the targets of the bind mounts of a copy of a single file', copy.bindMounts.map(({ target }) => target), [path])
      expectEqual('the content of a single file in its copy', await readFile(copy.bindMounts[0]?.source ?? '', 'utf8'), 'before')
      valueOf(await freezer.release(copy))
    }),

    test('says why it does not freeze what it cannot, and leaves nothing of it', async ({ freezer, directory, foreignDirectory }) => {
      const answer = await freezer.freeze([directory, foreignDirectory], { label: 'conformance-failed' })
      expectThat('freeze() of several places fails where one of them cannot be frozen', !answer.ok)
      expectThat('the failure has a message', answer.failure.message !== '')
      expectEqual('what leftovers() finds after a freeze that failed: nothing is left behind', valueOf(await freezer.leftovers([directory, foreignDirectory])), [])
    }),

    test('leaves nothing behind when it is cancelled', async ({ freezer, directory }) => {
      const answer = await freezer.freeze([directory], { label: 'conformance-cancelled', signal: AbortSignal.abort() })
      expectThat('freeze() fails when its signal is aborted', !answer.ok)
      expectEqual('the kind of failure of freeze() when its signal is aborted', answer.failure.kind, 'cancelled')
      expectEqual('what leftovers() finds after a freeze that was cancelled', valueOf(await freezer.leftovers([directory])), [])
    }),
  ]
}

/** Where a file of the original path lies in the copy. */
function inCopy(copy: FrozenCopy, path: string): string {
  const mount = copy.bindMounts.find(({ target }) => path.startsWith(`${target}/`))
  expectThat(`a bind mount of the copy shows ${path}`, mount !== undefined)
  return join(mount.source, path.slice(mount.target.length))
}
