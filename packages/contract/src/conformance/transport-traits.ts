import { Buffer } from 'node:buffer'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'

import type { TransportTraits } from '../transport.js'
import { failureOf, valueOf } from './answers.js'
import { expectEqual, expectThat } from './expectations.js'
import type { TransportBench } from './transport-bench.js'

/** Enough that a file which grows under its final name is seen there while it is incomplete. Bytes. */
const largeBytes = 32 * 1024 * 1024

/** The same, where a smaller one is enough. Bytes. */
const middleBytes = 16 * 1024 * 1024

/** A file that is read again and again while another one takes its place. Bytes. */
const replacedBytes = 4 * 1024 * 1024

/** So often it is replaced. */
const replacements = 6

/** So often, or for so long, a small file is replaced while several looks at once wait for the instant in which it is absent. */
const mostQuickReplacements = 400
const quickReplacementsMs = 3_000
const looksAtOnce = 4

type Sentence = readonly [name: string, body: (bench: TransportBench) => Promise<void>]

/**
 * What a transport promises by its traits. The core trusts them: it sends straight to the final name where `appearsWhole` is true.
 * A trait that is false is not tested.
 */
export const traitSentences: readonly Sentence[] = [
  ['shows a file that is uploaded only when it is complete, where its traits say so (appearsWhole)', async (bench) => {
    if (!(await traitOf(bench, 'appearsWhole'))) return
    await bench.write({ 'data/new': largeContent('n') })
    const aborting = new AbortController()
    const answer = await during(
      bench.transport.upload({ ...bench.request(['data/new']), signal: aborting.signal, onProgress: ({ bytesDone = 0 }) => bytesDone > 0 && aborting.abort() }),
      () => expectAbsentOrComplete(bench, 'data/new', 'while an upload was aborted', [largeBytes]),
    )
    if (!answer.ok) expectEqual('an upload whose signal was aborted fails with the kind', failureOf(answer).kind, 'cancelled')
    await during(bench.transport.upload(bench.request(['data/new'])).then(valueOf), () => expectAbsentOrComplete(bench, 'data/new', 'while it was uploaded', [largeBytes]))
    expectEqual('the size of a file that is uploaded again after an abort', await sizeOf(bench, 'data/new'), largeBytes)

    await bench.upload({ 'data/replaced': 'small' })
    await bench.write({ 'data/replaced': Buffer.alloc(middleBytes, 'r') })
    await during(bench.transport.upload({ ...bench.request(['data/replaced']), whenSameSize: 'replace' }).then(valueOf), () => expectAbsentOrComplete(bench, 'data/replaced', 'while it was replaced', [5, middleBytes]))
  }],

  ['puts a downloaded file under its name only when it is complete, where its traits say so (appearsWhole)', async (bench) => {
    if (!(await traitOf(bench, 'appearsWhole'))) return
    await bench.upload({ 'data/one': largeContent('1') })
    await bench.clear()
    const look = (when: string) => async (): Promise<void> => {
      const size = await stat(join(bench.root, 'data/one')).then(({ size: bytes }) => bytes, () => null)
      expectThat(`a file that is downloaded is absent or complete under its name on this host, because appearsWhole is true; ${when} it had ${String(size)} of ${largeBytes} bytes. Write to a temporary name and rename, or say false`, size === null || size === largeBytes)
    }
    const aborting = new AbortController()
    const answer = await during(
      bench.transport.download({ ...bench.request(['data/one']), signal: aborting.signal, onProgress: ({ bytesDone = 0 }) => bytesDone > 0 && aborting.abort() }),
      look('while a download was aborted'),
    )
    if (!answer.ok) expectEqual('a download whose signal was aborted fails with the kind', failureOf(answer).kind, 'cancelled')
    await during(bench.transport.download(bench.request(['data/one'])).then(valueOf), look('while it was downloaded'))
    expectThat('a file that is downloaded again after an abort has the content of the remote', (await bench.local('data/one')).equals(largeContent('1')))
  }],

  ['shows a file that is moved only when it is complete, where its traits say so (movesWhole)', async (bench) => {
    if (!(await traitOf(bench, 'movesWhole'))) return
    await bench.upload({ 'aside/one': Buffer.alloc(middleBytes, '1') })
    // There, back, and there again: one move may be over before anybody has looked.
    for (const [from, to] of [['aside/one', 'data/one'], ['data/one', 'aside/one'], ['aside/one', 'data/one']] as const) {
      await during(bench.transport.move(from, to).then(valueOf), async () => {
        const size = await sizeOf(bench, to)
        expectThat(`a file that is moved is absent or complete under its new name, because movesWhole is true; it had ${String(size)} of ${middleBytes} bytes`, size === null || size === middleBytes)
      })
    }
    expectEqual('the files after a move', await bench.paths(), ['data/one'])
  }],

  ['replaces a file by a move in one step, where its traits say so (movesAtomically)', async (bench) => {
    if (!(await traitOf(bench, 'movesAtomically'))) return
    const contents = ['a', 'b'].map((letter) => Buffer.alloc(replacedBytes, letter))
    await bench.upload({ index: contents[0] ?? '' })
    const advice = 'because movesAtomically is true. Let the remote rename it, or say false'
    for (let round = 1; round <= replacements; round++) {
      const next = contents[round % 2] ?? ''
      await bench.upload({ 'aside/index': next })
      await during(bench.transport.move('aside/index', 'index').then(valueOf), async () => {
        const read = await bench.transport.read('index')
        expectThat(`a file that a move replaces can be read at every instant, ${advice}; it was ${read.ok ? '' : `${read.failure.kind} (${read.failure.message})`}`, read.ok)
        expectThat(`a file that a move replaces is the old or the new one at every instant, ${advice}; ${read.value.length} of ${replacedBytes} bytes were read, or parts of both`, contents.some((content) => content.equals(read.value)))
      })
    }
    const begun = Date.now()
    for (let round = 1; round <= mostQuickReplacements && Date.now() - begun < quickReplacementsMs; round++) {
      await bench.upload({ 'aside/quick': 'q', ...(round === 1 ? { quick: 'q' } : {}) })
      await during(bench.transport.move('aside/quick', 'quick').then(valueOf), async () => {
        const sizes = await Promise.all(Array.from({ length: looksAtOnce }, () => sizeOf(bench, 'quick')))
        expectThat(`a file that a move replaces is listed at every instant, ${advice}; it was absent`, sizes.every((size) => size !== null))
      })
    }
    expectThat('a file that a move has replaced has the content of the other', Buffer.from(valueOf(await bench.transport.read('index'))).equals(contents[replacements % 2] ?? Buffer.alloc(0)))
  }],
]

/** Calls `look` again and again until the work has ended, and once after that. */
async function during<T>(work: Promise<T>, look: () => Promise<void>): Promise<T> {
  let isOver = false
  const over = work.then(
    () => void (isOver = true),
    () => void (isOver = true),
  )
  try {
    while (!isOver) {
      await look()
      // A look may need no I/O at all, and the work does.
      await setImmediate()
    }
    await look()
  } finally {
    await over
  }
  return await work
}

async function expectAbsentOrComplete(bench: TransportBench, path: string, when: string, sizes: readonly number[]): Promise<void> {
  const size = await sizeOf(bench, path)
  expectThat(
    `a file is absent or complete under its name on the remote, because appearsWhole is true; ${when} ${path} had ${String(size)} of ${String(sizes.at(-1))} bytes. Upload under a temporary name and rename, or say false`,
    size === null || sizes.includes(size),
  )
}

async function sizeOf(bench: TransportBench, path: string): Promise<number | null> {
  const listed = await bench.transport.list(path)
  // It vanished between two steps of the list.
  if (!listed.ok && listed.failure.kind === 'not-found') return null
  return valueOf(listed).find((file) => file.path === path)?.size ?? null
}

async function traitOf({ transport }: TransportBench, trait: keyof TransportTraits): Promise<boolean> {
  return valueOf(await transport.traits())[trait]
}

function largeContent(letter: string): Buffer {
  return Buffer.alloc(largeBytes, letter)
}
