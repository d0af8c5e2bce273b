import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput, type MultipartUpload } from '@aws-sdk/client-s3'

import { keyOf, type Bucket } from './bucket.js'
import { inParallel } from './parallel.js'

/** What is younger may be on its way up at this moment, from another host. */
const leastAgeMs = 24 * 60 * 60 * 1000

/**
 * Parts of an upload that was killed are no objects and no list shows them, but they cost money for ever. Puts away those of
 * the files that are about to be uploaded anyway, and all below the prefix that are older than a day.
 *
 * Throws nothing but what ends the call: a server without such lists, or a key that may not ask for them, is no reason not to
 * upload.
 */
export async function abortUnfinished(bucket: Bucket, paths: readonly string[], signal: AbortSignal, now = new Date()): Promise<void> {
  if (paths.length === 0) return
  const wanted = new Set(paths.map((path) => keyOf(bucket, path)))
  try {
    const old = (await unfinished(bucket, signal)).filter(({ Key = '', Initiated }) => wanted.has(Key) || (Initiated !== undefined && now.getTime() - Initiated.getTime() > leastAgeMs))
    await inParallel(old, bucket.transfers, async ({ Key, UploadId }) => {
      await bucket.client.send(new AbortMultipartUploadCommand({ Bucket: bucket.place.bucket, Key, UploadId }), { abortSignal: signal })
    })
  } catch (error) {
    if (signal.aborted) throw error
  }
}

/** Those below the prefix. Throws. */
export async function unfinished({ client, place }: Bucket, signal: AbortSignal): Promise<MultipartUpload[]> {
  const found: MultipartUpload[] = []
  let marker: { readonly KeyMarker?: string | undefined; readonly UploadIdMarker?: string | undefined } | null = {}
  while (marker !== null) {
    const page: ListMultipartUploadsCommandOutput = await client.send(
      new ListMultipartUploadsCommand({ Bucket: place.bucket, ...(place.prefix === '' ? {} : { Prefix: place.prefix }), ...marker }),
      { abortSignal: signal },
    )
    // Not every server looks at the prefix.
    found.push(...(page.Uploads ?? []).filter(({ Key = '' }) => Key.startsWith(place.prefix)))
    marker = page.IsTruncated === true && page.NextKeyMarker !== undefined ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : null
  }
  return found
}
