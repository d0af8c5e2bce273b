import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

import type { TransferRequest, Transport, TransportTraits } from '@stackbk/contract'
import { transportSuite } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The transport of the example plugin: an honest one. */
const { createFolderTransport } = (await import(new URL('../../../examples/stackbk-plugin-folder/src/transport.js', import.meta.url).href)) as { createFolderTransport: (root: string) => Transport }

let home = ''
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'stackbk-transport-suite-'))
})
afterAll(() => rm(home, { recursive: true }))

const traits: TransportTraits = { appearsWhole: true, movesWhole: true, movesAtomically: true, readsRanges: true }
const honest = (claims: Partial<TransportTraits>): Transport['traits'] => () => Promise.resolve({ ok: true, value: { ...traits, ...claims } })

/** Copies straight to the final names. */
async function copyStraight({ files, signal, onProgress }: TransferRequest, from: string, to: string) {
  const moved = { files: 0, bytes: 0 }
  for (const file of files) {
    if (signal?.aborted === true) return { ok: false, failure: { kind: 'cancelled', message: 'cancelled' } } as const
    await mkdir(dirname(join(to, file)), { recursive: true })
    await copyFile(join(from, file), join(to, file))
    moved.files += 1
    onProgress?.({ phase: 'transfer', bytesDone: 1, filesDone: moved.files })
  }
  return { ok: true, value: moved } as const
}

/** In many small steps, so that whoever looks meanwhile sees a part. */
async function moveByCopy(root: string, from: string, to: string) {
  await mkdir(dirname(join(root, to)), { recursive: true })
  await pipeline(createReadStream(join(root, from)), createWriteStream(join(root, to)))
  await rm(join(root, from))
  return { ok: true, value: undefined } as const
}

async function moveOverNothing(root: string, from: string, to: string) {
  await mkdir(dirname(join(root, to)), { recursive: true })
  await rm(join(root, to), { force: true })
  await rename(join(root, from), join(root, to))
  return { ok: true, value: undefined } as const
}

/** The messages of the sentences about traits that do not hold. */
async function failuresOf(change: (root: string) => Partial<Transport>, about = /\(\w+\)$/): Promise<readonly string[]> {
  const suite = transportSuite(async () => {
    const [root, localRoot] = [await mkdtemp(join(home, 'remote-')), await mkdtemp(join(home, 'local-'))]
    return { transport: { ...createFolderTransport(root), ...change(root) }, unreachable: { ...createFolderTransport(join(root, 'unmounted')), ...change(join(root, 'unmounted')) }, localRoot, close: async () => void (await Promise.all([root, localRoot].map((folder) => rm(folder, { recursive: true })))) }
  })
  const failures: string[] = []
  for (const { name, run } of suite.filter(({ name: title }) => about.test(title))) await run().catch((error: Error) => failures.push(`${name}: ${error.message}`))
  return failures
}

describe('the suite for transports', () => {
  test('is green for a transport that keeps its promises', async () => {
    expect(await failuresOf(() => ({}))).toEqual([])
  })

  test('finds an upload that shows incomplete files although appearsWhole is true', async () => {
    const failures = await failuresOf((root) => ({ upload: (request) => copyStraight(request, request.localRoot, join(root, request.remoteFolder ?? '')) }), /uploaded only when/)
    expect(failures.join('\n')).toMatch(/^shows a file that is uploaded only when it is complete.*: a file is absent or complete under its name on the remote, because appearsWhole is true; while (?:it|an upload) was/)
  })

  test('finds a listing that is empty where the remote is not there', async () => {
    const list = (root: string): Transport['list'] => async (...request) => {
      const answer = await createFolderTransport(root).list(...request)
      return answer.ok ? answer : { ok: true, value: [] }
    }
    expect(await failuresOf((root) => ({ list: list(root) }), /which is not there/)).toEqual([expect.stringMatching(/never that it is empty: expected a failure, got an answer/)])
  })

  test('says in words what it wants where a call gives no Answer', async () => {
    const failures = await failuresOf(() => ({ ready: () => Promise.resolve(true as never) }), /and is ready/)
    expect(failures).toEqual(['says where it goes, and is ready: a call of a provider gives an Answer: answered(value), done, or failed({ kind, message }); it gave true'])
  })

  test('finds a download that shows incomplete files although appearsWhole is true', async () => {
    const failures = await failuresOf((root) => ({ download: (request) => copyStraight(request, join(root, request.remoteFolder ?? ''), request.localRoot) }), /appearsWhole/)
    expect(failures).toEqual([expect.stringContaining('a file that is downloaded is absent or complete under its name on this host')])
  })

  test.each([
    ['copies and removes', moveByCopy],
    ['removes what is there before', moveOverNothing],
  ])('finds a move that %s although movesAtomically is true', async (_, move) => {
    const failures = await failuresOf((root) => ({ traits: honest({ movesWhole: false }), move: (from, to) => move(root, from, to) }), /movesAtomically|movesWhole/)
    expect(failures).toEqual([expect.stringMatching(/^replaces a file by a move in one step.*: a file that a move replaces .* because movesAtomically is true/)])
  })

  test('finds a move that shows incomplete files although movesWhole is true', async () => {
    const failures = await failuresOf((root) => ({ traits: honest({ movesAtomically: false }), move: (from, to) => moveByCopy(root, from, to) }), /movesAtomically|movesWhole/)
    expect(failures).toEqual([expect.stringContaining('because movesWhole is true')])
  })

  test('tests no trait that is false', async () => {
    expect(await failuresOf((root) => ({ traits: honest({ appearsWhole: false, movesWhole: false, movesAtomically: false }), upload: (request) => copyStraight(request, request.localRoot, root), move: (from, to) => moveByCopy(root, from, to) }))).toEqual([])
  })
})
