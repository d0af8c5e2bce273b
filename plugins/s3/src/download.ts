import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { GetObjectCommand } from '@aws-sdk/client-s3'
import { answered, filesInWords, filesMissing, plainFolder, refuseNames, type Answer, type TransferRequest, type TransferResult } from '@stackbk/contract'

import { keyOf, within, type Bucket } from './bucket.js'
import { sizesOf } from './list.js'
import type { Meter } from './meter.js'
import { below } from './below.js'
import { inParallel } from './parallel.js'
import { addressOf } from './place.js'
import { Pulse } from './pulse.js'
import { localSizes } from './upload.js'

/** Behind a file's name until all of it is here. Always the same: what a kill leaves behind the next try writes over. */
const halfSuffix = '.s3.partial'

/** From the bucket to this host. A file appears under its name when all of it is here. */
export async function download(bucket: Bucket, request: TransferRequest): Promise<Answer<TransferResult>> {
  const { files, whenSameSize } = request
  if (files.length === 0) return answered({ files: 0, bytes: 0 })
  const named = refuseNames(files)
  if (!named.ok) return named
  const folder = plainFolder(request.remoteFolder ?? '')
  const localRoot = resolve(request.localRoot)
  const attempt = { what: `downloading ${filesInWords(files)} from ${addressOf(bucket.place, folder)}`, isTransfer: true }
  const result = await within(bucket, attempt, request, async (signal): Promise<Answer<TransferResult>> => {
    const there = await sizesOf(bucket, folder, files, signal)
    const absent = files.filter((file) => !there.has(file))
    if (absent.length > 0) return filesMissing(absent, addressOf(bucket.place, folder))
    const local = whenSameSize === 'keep' ? await localSizes(localRoot, files) : new Map<string, number>()
    const wanted = files.filter((file) => local.get(file) !== there.get(file))
    const pulse = new Pulse(bucket.meter, { phase: 'download', direction: 'down', sizes: wanted.map((file) => there.get(file) ?? 0), onProgress: request.onProgress })
    try {
      await inParallel(wanted, bucket.transfers, async (file) => {
        await fetchTo(bucket, { key: keyOf(bucket, below(folder, file)), path: join(localRoot, file), size: there.get(file) ?? 0, signal })
        pulse.finish(there.get(file) ?? 0)
      })
    } finally {
      pulse.end()
    }
    return answered({ files: wanted.length, bytes: wanted.reduce((sum, file) => sum + (there.get(file) ?? 0), 0) })
  })
  return result.ok ? result.value : result
}

async function fetchTo(bucket: Bucket, { key, path, size, signal }: { readonly key: string; readonly path: string; readonly size: number; readonly signal: AbortSignal }): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const half = `${path}${halfSuffix}`
  try {
    const { Body } = await bucket.client.send(new GetObjectCommand({ Bucket: bucket.place.bucket, Key: key }), { abortSignal: signal })
    const writer = createWriteStream(half)
    await pipeline(metered(Body as Readable, bucket.meter), writer, { signal })
    if (writer.bytesWritten !== size) throw Object.assign(new Error(`${key}: ${writer.bytesWritten} bytes came of ${size}`), { name: 'IncompleteBody' })
    await rename(half, path)
  } catch (error) {
    await rm(half, { force: true })
    throw error
  }
}

export async function* metered(body: Readable, meter: Meter): AsyncGenerator<Uint8Array> {
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    await meter.pass('down', chunk.length)
    yield chunk
  }
}
