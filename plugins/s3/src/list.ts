import { HeadObjectCommand, ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { answered, failed, plainFolder, type Answer, type CallOptions, type RemoteFile } from '@stackbk/contract'

import { keyOf, within, type Bucket } from './bucket.js'
import { isMissing } from './failure.js'
import { below } from './below.js'
import { inParallel } from './parallel.js'
import { addressOf } from './place.js'

/** All files below a folder, or a file itself. A bucket that is not there is a failure, a folder that is not there is empty. */
export async function listFiles(bucket: Bucket, prefix: string, options: CallOptions = {}): Promise<Answer<readonly RemoteFile[]>> {
  const folder = plainFolder(prefix)
  const attempt = { what: `listing ${addressOf(bucket.place, folder)}`, isTransfer: false }
  return within(bucket, attempt, options, async (signal) => {
    const files = await filesBelow(bucket, folder, signal)
    if (files.length > 0 || folder === '') return files
    const itself = await fileAt(bucket, folder, signal)
    return itself === null ? [] : [itself]
  })
}

/** A thousand a call. Throws. */
async function filesBelow(bucket: Bucket, folder: string, signal: AbortSignal): Promise<RemoteFile[]> {
  const { client, place, meter } = bucket
  const files: RemoteFile[] = []
  const prefix = folder === '' ? place.prefix : `${place.prefix}${folder}/`
  let token: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await client.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: prefix, ContinuationToken: token }), { abortSignal: signal })
    await meter.pass('down', 0)
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      // What a web console makes of an empty folder.
      if (Key.endsWith('/')) continue
      files.push({ path: Key.slice(place.prefix.length), size: Size, modifiedAt: LastModified?.toISOString() ?? null })
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
  return files
}

/** `null`: it is not there. Throws. */
export async function fileAt(bucket: Bucket, path: string, signal: AbortSignal): Promise<RemoteFile | null> {
  try {
    const { ContentLength = 0, LastModified } = await bucket.client.send(new HeadObjectCommand({ Bucket: bucket.place.bucket, Key: keyOf(bucket, path) }), { abortSignal: signal })
    await bucket.meter.pass('down', 0)
    return { path, size: ContentLength, modifiedAt: LastModified?.toISOString() ?? null }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** From so many files on, listing what is below their folder costs less than asking for each of them. */
const filesWorthAListing = 16

/** Sizes of those of the files that are there. Throws. */
export async function sizesOf(bucket: Bucket, folder: string, files: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  const single: string[] = []
  for (const [top, some] of byTop(files)) {
    if (top === '' || some.length < filesWorthAListing) {
      single.push(...some)
      continue
    }
    const wanted = new Map(some.map((file) => [below(folder, file), file]))
    for (const { path, size } of await filesBelow(bucket, below(folder, top), signal)) {
      const file = wanted.get(path)
      if (file !== undefined) sizes.set(file, size)
    }
  }
  await inParallel(single, bucket.transfers, async (file) => {
    const found = await fileAt(bucket, below(folder, file), signal)
    if (found !== null) sizes.set(file, found.size)
  })
  return sizes
}

/** By the first folder of their path; `''` for those in none. */
function byTop(files: readonly string[]): ReadonlyMap<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const file of files) {
    const top = file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
    const group = groups.get(top)
    if (group === undefined) groups.set(top, [file])
    else group.push(file)
  }
  return groups
}

/** One entry is enough to know that the server answers and lets us in. */
export async function probe(bucket: Bucket, { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }): Promise<Answer<void>> {
  const { client, place } = bucket
  const attempt = { what: `reaching ${addressOf(place)}`, isTransfer: false }
  const reached = await within(bucket, attempt, { timeoutMs, signal }, (abortSignal) => client.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, MaxKeys: 1 }), { abortSignal }))
  if (reached.ok) return answered(undefined)
  if (reached.failure.kind !== 'timed-out') return reached
  return failed({ ...reached.failure, kind: 'remote-unreachable', message: `${addressOf(place)} did not answer within ${timeoutMs / 1000} s`, transient: true })
}
