import type { Readable } from 'node:stream'

import { GetObjectCommand } from '@aws-sdk/client-s3'
import { answered, failed, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { keyOf, within, type Bucket } from './bucket.js'
import { metered } from './download.js'
import { isBehindTheEnd, isMissing } from './failure.js'
import { fileAt } from './list.js'
import { addressOf } from './place.js'

/** A file's bytes, or those of a range. */
export async function readFile(bucket: Bucket, path: string, { range, signal }: { readonly range?: { readonly start: number; readonly end: number } } & CallOptions = {}): Promise<Answer<Uint8Array>> {
  const named = refuseNames([path])
  if (!named.ok) return named
  const attempt = { what: `reading ${addressOf(bucket.place, path)}`, isTransfer: true }
  const found = await within(bucket, attempt, { signal }, async (abortSignal): Promise<Uint8Array | null> => {
    if (range !== undefined && range.end <= range.start) return (await fileAt(bucket, path, abortSignal)) === null ? null : new Uint8Array()
    try {
      const object = await bucket.client.send(
        new GetObjectCommand({ Bucket: bucket.place.bucket, Key: keyOf(bucket, path), ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }) }),
        { abortSignal },
      )
      const chunks: Uint8Array[] = []
      for await (const chunk of metered(object.Body as Readable, bucket.meter)) chunks.push(chunk)
      const bytes = Buffer.concat(chunks)
      // A server that does not know ranges sends all of it.
      return range !== undefined && object.ContentRange === undefined ? bytes.subarray(range.start, range.end) : bytes
    } catch (error) {
      if (isMissing(error)) return null
      if (range !== undefined && isBehindTheEnd(error)) return new Uint8Array()
      throw error
    }
  })
  if (!found.ok) return found
  return found.value === null ? failed({ kind: 'not-found', message: `there is no file ${addressOf(bucket.place, path)}` }) : answered(found.value)
}
