import { createReadStream } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { AbortMultipartUploadCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { answered, filesInWords, filesMissing, plainFolder, refuseNames, type Answer, type TransferRequest, type TransferResult } from '@stackbk/contract'

import { keyOf, within, type Bucket, type Keeping } from './bucket.js'
import { sizesOf } from './list.js'
import { below } from './below.js'
import { inParallel } from './parallel.js'
import { addressOf } from './place.js'
import { Pulse } from './pulse.js'
import { abortUnfinished } from './unfinished.js'

/** What is left of a failed upload may take so long to be put away. */
const abortLimitMs = 10_000

/** So many looks at this host's files at once. */
const looksAtOnce = 256

/** Most parts that one object may have. */
const mostParts = 10_000

/** From this host to the bucket. Every file appears under its name when all of it has arrived, or not at all. */
export async function upload(bucket: Bucket, request: TransferRequest): Promise<Answer<TransferResult>> {
  const { files, whenSameSize } = request
  if (files.length === 0) return answered({ files: 0, bytes: 0 })
  const named = refuseNames(files)
  if (!named.ok) return named
  const folder = plainFolder(request.remoteFolder ?? '')
  const localRoot = resolve(request.localRoot)
  const local = await localSizes(localRoot, files)
  const absent = files.filter((file) => !local.has(file))
  if (absent.length > 0) return filesMissing(absent, localRoot)

  const attempt = { what: `uploading ${filesInWords(files)} to ${addressOf(bucket.place, folder)}`, isTransfer: true }
  const result = await within(bucket, attempt, request, async (signal) => {
    const there = whenSameSize === 'keep' ? await sizesOf(bucket, folder, files, signal) : new Map<string, number>()
    const wanted = files.filter((file) => there.get(file) !== local.get(file))
    await abortUnfinished(bucket, wanted.map((file) => below(folder, file)), signal)
    const pulse = new Pulse(bucket.meter, { phase: 'upload', direction: 'up', sizes: wanted.map((file) => local.get(file) ?? 0), onProgress: request.onProgress })
    try {
      await inParallel(wanted, bucket.transfers, async (file) => {
        await put(bucket, { path: join(localRoot, file), key: keyOf(bucket, below(folder, file)), size: local.get(file) ?? 0, signal })
        pulse.finish(local.get(file) ?? 0)
      })
    } finally {
      pulse.end()
    }
    return { files: wanted.length, bytes: wanted.reduce((sum, file) => sum + (local.get(file) ?? 0), 0) }
  })
  if (result.ok || result.failure.kind === 'cancelled') return result
  // One that vanished meanwhile is no trouble of the transfer.
  const left = await localSizes(localRoot, files)
  const gone = files.filter((file) => !left.has(file))
  return gone.length > 0 ? filesMissing(gone, localRoot) : result
}

async function put(bucket: Bucket, { path, key, size, signal }: { readonly path: string; readonly key: string; readonly size: number; readonly signal: AbortSignal }): Promise<void> {
  const { place, partBytes, keeping } = bucket
  const params: PutObjectCommandInput = { Bucket: place.bucket, Key: key, Body: createReadStream(path), ...keepingOf(keeping, new Date()) }
  const upload = new Upload({ client: abortable(bucket.client, signal), params, queueSize: 1, partSize: Math.max(partBytes, Math.ceil(size / mostParts)) })
  await upload.done()
}

/** The class and the lock, as the calls that make an object take them. */
export function keepingOf({ storageClass, lock }: Keeping, now: Date): Pick<PutObjectCommandInput, 'StorageClass' | 'ObjectLockMode' | 'ObjectLockRetainUntilDate'> {
  return {
    ...(storageClass === null ? {} : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    ...(lock === null ? {} : { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: new Date(now.getTime() + lock.days * 24 * 60 * 60 * 1000) }),
  }
}

/** The client whose calls end with the signal; but for the one that puts away the parts of an upload that is given up. */
function abortable(client: S3Client, signal: AbortSignal): S3Client {
  const send = (command: Parameters<S3Client['send']>[0]): Promise<unknown> => client.send(command, { abortSignal: command instanceof AbortMultipartUploadCommand ? AbortSignal.timeout(abortLimitMs) : signal })
  return { config: client.config, send } as unknown as S3Client
}

/** Sizes of those of the files that are regular files here. No symbolic link is followed. */
export async function localSizes(localRoot: string, files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  for (let start = 0; start < files.length; start += looksAtOnce) {
    const some = files.slice(start, start + looksAtOnce)
    const found = await Promise.all(some.map((file) => lstat(join(localRoot, file)).catch(() => null)))
    for (const [index, status] of found.entries()) if (status?.isFile() === true) sizes.set(some[index] ?? '', status.size)
  }
  return sizes
}
