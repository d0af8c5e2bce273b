import { randomBytes } from 'node:crypto'
import { readdir, readFile, symlink, writeFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { CreateMultipartUploadCommand, HeadObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3'
import { Secret, type SettingValues } from '@stackbk/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { startProxy } from '../../../test/fixtures/remotes.js'
import { isThorough } from '../../../test/fixtures/sampled.js'
import { copyInParts } from '../src/move.js'
import { bucketOf } from '../src/transport.js'
import { abortUnfinished, unfinished } from '../src/unfinished.js'
import { upload } from '../src/upload.js'
import { clientOf, startBucket, temporaryFolder, transportWith, valueOf, valuesOf, type TestBucket } from './transport.js'

const bigFile = 12 * 1024 * 1024
/** The least that S3 allows: the big file goes up in three of them. */
const smallParts = { PART_SIZE: 5, TRANSFERS: 1 }

let bucket: TestBucket
let client: S3Client
beforeAll(async () => {
  bucket = await startBucket({ hasLock: true })
  client = clientOf(bucket)
})
afterAll(async () => {
  client?.destroy()
  await bucket?.close()
})

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let values: SettingValues
beforeEach(async () => {
  folder = await temporaryFolder()
  values = valuesOf(bucket)
})
afterEach(async () => {
  await folder.remove()
})

const signal = new AbortController().signal
const unfinishedUploads = async (): Promise<number> => (await unfinished(valueOf(bucketOf(values)), signal)).length
const head = (path: string) => client.send(new HeadObjectCommand({ Bucket: bucket.bucket, Key: `${String(values['PREFIX'])}/${path}` }))

describe('a transfer that is cut', () => {
  test.each([['in one part', { PART_SIZE: 32 }], ['in parts', smallParts]])('on its way up, %s, leaves the old file; what is left of it the next puts away', async (_, parts) => {
    const request = { files: ['big'], localRoot: folder.path, whenSameSize: 'replace' } as const
    const quick = await transportWith({ ...values, ...parts })
    await writeFile(join(folder.path, 'big'), 'old')
    expect(await quick.upload(request)).toMatchObject({ ok: true })
    await writeFile(join(folder.path, 'big'), randomBytes(bigFile))

    const proxy = await startProxy(bucket.port)
    try {
      const through = await transportWith({ ...values, ...parts, ENDPOINT: `http://127.0.0.1:${proxy.port}` })
      proxy.trouble({ is: 'dies', afterBytes: 8 * 1024 * 1024 })
      expect(await through.upload(request)).toMatchObject({ ok: false, failure: { transient: true } })
      await through.close()
    } finally {
      await proxy.close()
    }
    expect(valueOf(await quick.list('')).map(({ size }) => size)).toEqual(['old'.length])
    expect(await unfinishedUploads()).toBe(parts === smallParts ? 1 : 0)

    expect(await quick.upload({ ...request, whenSameSize: 'keep' })).toMatchObject({ ok: true, value: { files: 1, bytes: bigFile } })
    expect(await unfinishedUploads()).toBe(0)
    expect(Buffer.from(valueOf(await quick.read('big'))).equals(await readFile(join(folder.path, 'big')))).toBe(true)
  })

  test('by its caller ends at once and leaves nothing', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const transport = await transportWith({ ...values, ...smallParts, BANDWIDTH: '4M' })
    const controller = new AbortController()
    const begun = performance.now()
    const answer = await transport.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep', signal: controller.signal, onProgress: ({ bytesDone = 0 }) => bytesDone > 5.5 * 1024 * 1024 && controller.abort() })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(valueOf(await transport.list(''))).toEqual([])
    expect(await unfinishedUploads()).toBe(0)
  })

  test('on its way down leaves nothing under the name, nor beside it', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const quick = await transportWith(values)
    expect(await quick.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: true })
    const target = join(folder.path, 'target')
    const slowly = await transportWith({ ...values, BANDWIDTH: '4M' })
    const controller = new AbortController()
    const answer = await slowly.download({ files: ['big'], localRoot: target, whenSameSize: 'keep', signal: controller.signal, onProgress: () => controller.abort() })
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'cancelled' } })
    expect(await readdir(target)).toEqual([])
    // What a kill leaves there the next try writes over.
    await writeFile(join(target, 'big.s3.partial'), 'half')
    expect(await quick.download({ files: ['big'], localRoot: target, whenSameSize: 'keep' })).toMatchObject({ ok: true, value: { files: 1, bytes: bigFile } })
    expect(await readdir(target)).toEqual(['big'])
  })

  test('by a line that goes dead comes to a standstill; by its limit it is ended', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(bigFile))
    const proxy = await startProxy(bucket.port)
    try {
      proxy.trouble({ is: 'hangs', afterBytes: 2_000_000 })
      const through = await transportWith({ ...values, ENDPOINT: `http://127.0.0.1:${proxy.port}` })
      const request = { files: ['big'], localRoot: folder.path, whenSameSize: 'replace' } as const
      expect(await through.upload({ ...request, stallTimeoutMs: 1500 })).toMatchObject({ ok: false, failure: { kind: 'stalled', transient: true } })
      expect(await through.upload({ ...request, timeoutMs: 500 })).toMatchObject({ ok: false, failure: { kind: 'timed-out' } })
      await through.close()
    } finally {
      await proxy.close()
    }
  })

  test('long ago, of whatever file, is put away by the next; one of the last day is left to whom it may belong', async () => {
    const known = valueOf(bucketOf(values))
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket.bucket, Key: `${String(values['PREFIX'])}/data/old` }))
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket.bucket, Key: 'elsewhere/data/old' }))
    // This server gives no true time to an upload, so the clock is set by what it says.
    const [{ Initiated = new Date() } = {}] = await unfinished(known, signal)
    const after = (hours: number): Date => new Date(Initiated.getTime() + hours * 60 * 60 * 1000)
    await abortUnfinished(known, ['data/other'], signal, after(23))
    expect(await unfinishedUploads()).toBe(1)
    await abortUnfinished(known, ['data/other'], signal, after(25))
    expect(await unfinishedUploads()).toBe(0)
    expect((await unfinished({ ...known, place: { ...known.place, prefix: 'elsewhere/' } }, signal)).length).toBe(1)
  })
})

describe('what is uploaded', () => {
  const locked = { ...smallParts, STORAGE_CLASS: 'STANDARD_IA', OBJECT_LOCK_MODE: 'compliance', OBJECT_LOCK_DAYS: 7 }

  test('has the class and the lock that were asked for, and a deletion only hides it', async () => {
    await writeFile(join(folder.path, 'small'), 'x')
    const transport = await transportWith({ ...values, ...locked })
    expect(await transport.upload({ files: ['small'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: true })
    const { StorageClass, ObjectLockMode, ObjectLockRetainUntilDate } = await head('small')
    expect([StorageClass, ObjectLockMode]).toEqual(['STANDARD_IA', 'COMPLIANCE'])
    expect(((ObjectLockRetainUntilDate?.getTime() ?? 0) - Date.now()) / 86_400_000).toBeCloseTo(7, 1)

    expect(await transport.remove(['small'])).toMatchObject({ ok: true })
    expect(valueOf(await transport.list(''))).toEqual([])
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket.bucket, Prefix: `${String(values['PREFIX'])}/small` }))
    expect(Versions.length).toBe(1)
  })

  test('in parts asks for them too, when it begins, and each part has its sum', async () => {
    await writeFile(join(folder.path, 'big'), new Uint8Array(6 * 1024 * 1024))
    const known = valueOf(bucketOf({ ...values, ...locked }))
    const calls: { readonly method: string; readonly query: Readonly<Record<string, unknown>>; readonly headers: Readonly<Record<string, string>> }[] = []
    known.client.middlewareStack.add((next) => (args) => {
      calls.push(args.request as (typeof calls)[number])
      return next(args)
    }, { step: 'finalizeRequest' })
    expect(await upload(known, { files: ['big'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: true })
    const begin = calls.find(({ method, query }) => method === 'POST' && 'uploads' in query)?.headers
    expect([begin?.['x-amz-storage-class'], begin?.['x-amz-object-lock-mode']]).toEqual(['STANDARD_IA', 'COMPLIANCE'])
    expect(Date.parse(begin?.['x-amz-object-lock-retain-until-date'] ?? '')).toBeGreaterThan(Date.now() + 6 * 86_400_000)
    const parts = calls.filter(({ method }) => method === 'PUT')
    expect(parts.length).toBe(2)
    for (const { headers } of parts) expect(headers['content-md5']).toMatch(/^[\w+/]{22}==$/)
    known.client.destroy()
  })

  test('keeps them when it is moved, also in parts as what is too large for one call', async () => {
    const data = randomBytes(11 * 1024 * 1024)
    await writeFile(join(folder.path, 'big'), data)
    const lock = { ...values, STORAGE_CLASS: 'STANDARD_IA' }
    const transport = await transportWith(lock)
    expect(await transport.upload({ files: ['big'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: true })
    await copyInParts(valueOf(bucketOf(lock)), { from: 'big', to: 'trash/a big one', size: data.length, partBytes: 5 * 1024 * 1024 }, signal)
    expect(Buffer.from(valueOf(await transport.read('trash/a big one'))).equals(data)).toBe(true)
    expect((await head('trash/a big one')).StorageClass).toBe('STANDARD_IA')
    expect(await unfinishedUploads()).toBe(0)
  })

  test('goes as slowly as it is told to, and is seen to come nearer all the time', async () => {
    await writeFile(join(folder.path, 'one'), new Uint8Array(1_500_000))
    const transport = await transportWith({ ...values, BANDWIDTH: '1M' })
    const seen: number[] = []
    const begun = performance.now()
    expect(await transport.upload({ files: ['one'], localRoot: folder.path, whenSameSize: 'keep', onProgress: ({ bytesDone = 0 }) => seen.push(bytesDone) })).toMatchObject({ ok: true })
    expect(performance.now() - begun).toBeGreaterThan(1200)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.length).toBeGreaterThan(3)
    expect(seen.at(-1)).toBe(1_500_000)
  })

  test('is no symbolic link', async () => {
    await writeFile(join(folder.path, 'one'), '1')
    await symlink('one', join(folder.path, 'link'))
    const transport = await transportWith(values)
    expect(await transport.upload({ files: ['one', 'link'], localRoot: folder.path, whenSameSize: 'keep' })).toMatchObject({ ok: false, failure: { kind: 'not-found', message: expect.stringContaining('link') as string } })
  })
})

/** More than S3 lists, or deletes, in one call. */
const count = isThorough ? 10_000 : 1_010

test(`${count} files are uploaded, listed, found again and removed`, async () => {
  const names = Array.from({ length: count }, (_, index) => `data/${String(index % 16)}/${String(index).padStart(5, '0')}`)
  for (let index = 0; index < 16; index++) await mkdir(join(folder.path, 'data', String(index)), { recursive: true })
  await Promise.all(names.map((name) => writeFile(join(folder.path, name), '')))
  const transport = await transportWith({ ...values, TRANSFERS: 16 })
  const request = { files: names, localRoot: folder.path, whenSameSize: 'keep' } as const
  expect(valueOf(await transport.upload(request)).files).toBe(count)
  expect(valueOf(await transport.upload(request)).files).toBe(0)
  expect(valueOf(await transport.list('data')).map(({ path }) => path).toSorted()).toEqual(names.toSorted())
  expect(await transport.remove(names)).toMatchObject({ ok: true })
  expect(valueOf(await transport.list(''))).toEqual([])
})

test('a dry run moves and removes nothing', async () => {
  await writeFile(join(folder.path, 'one'), '1')
  const request = { files: ['one'], localRoot: folder.path, whenSameSize: 'replace' } as const
  expect(await (await transportWith(values)).upload(request)).toMatchObject({ ok: true })
  const dry = await transportWith(values, { dryRun: true })
  for (const answer of [await dry.upload(request), await dry.download(request), await dry.move('one', 'two'), await dry.remove(['one'])]) expect(answer.ok).toBe(false)
  expect(valueOf(await dry.list('')).map(({ path }) => path)).toEqual(['one'])
})

test('no secret stands in an answer, a finding or the location; a bare host gets it in one file', async () => {
  const transport = await transportWith(values)
  const kept = valueOf((await transport.keepsakes?.()) ?? { ok: true, value: [] })
  const shown = JSON.stringify([await transport.ready(), await transport.examine(), await transport.list(''), await transport.space(), transport.location, transport.byHand?.({ localRoot: '/back' }), kept])
  expect(shown).not.toContain(bucket.secret)
  expect(kept.map(({ content, setting }) => [content.reveal(), setting?.key])).toEqual([[`${bucket.accessKey}:${bucket.secret}\n`, 'SECRET_FILE']])

  const file = join(folder.path, 'key')
  await writeFile(file, kept[0]?.content.reveal() ?? '')
  const changes = { ACCESS_KEY_ID: null, SECRET_ACCESS_KEY: null, SECRET_FILE: file }
  for (const ACCESS_KEY_ID of [null, bucket.accessKey]) expect(await (await transportWith({ ...values, ...changes, ACCESS_KEY_ID })).probe({ timeoutMs: 10_000 })).toMatchObject({ ok: true })
})

test.each([
  [{ BUCKET: null }, 'BUCKET is not set'],
  [{ PREFIX: 'a/../b' }, 'PREFIX'],
  [{ ACCESS_KEY_ID: null }, 'ACCESS_KEY_ID is not'],
  [{ SECRET_ACCESS_KEY: null }, 'its secret is not'],
  [{ SECRET_ACCESS_KEY: null, SECRET_FILE: '/nowhere' }, 'SECRET_FILE cannot be read'],
  [{ SECRET_ACCESS_KEY: null, SECRET_FILE: '/etc/passwd' }, 'SECRET_FILE does not hold'],
  [{ BANDWIDTH: 'quick' }, 'BANDWIDTH'],
])('%j is refused before anything is touched', async (changes: SettingValues, message) => {
  const transport = await transportWith({ ENDPOINT: 'http://127.0.0.1:9', BUCKET: 'bucket', ACCESS_KEY_ID: 'id', SECRET_ACCESS_KEY: new Secret('s'), ...changes })
  expect(await transport.ready()).toMatchObject({ ok: false, failure: { kind: 'configuration', message: expect.stringContaining(message) as string } })
})
