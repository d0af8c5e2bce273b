import { DeleteObjectsCommand } from '@aws-sdk/client-s3'
import { done, filesInWords, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { keyOf, within, type Bucket } from './bucket.js'
import { addressOf } from './place.js'

/** So many S3 takes in one call. */
const mostAtOnce = 1000

/** Deletes these files and no other. In a bucket with versions they are hidden, and go for good when their lock and lifecycle let them. */
export async function removeFiles(bucket: Bucket, files: readonly string[], options: CallOptions = {}): Promise<Answer<void>> {
  if (files.length === 0) return done
  const named = refuseNames(files)
  if (!named.ok) return named
  const attempt = { what: `deleting ${filesInWords(files)} on ${addressOf(bucket.place)}`, isTransfer: true }
  return within(bucket, attempt, options, (signal) => removeAll(bucket, files, signal, options.onProgress))
}

/** Throws. */
export async function removeAll(bucket: Bucket, files: readonly string[], signal: AbortSignal, onProgress?: CallOptions['onProgress']): Promise<void> {
  const { client, place, meter } = bucket
  for (let start = 0; start < files.length; start += mostAtOnce) {
    const some = files.slice(start, start + mostAtOnce)
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket: place.bucket, Delete: { Quiet: true, Objects: some.map((file) => ({ Key: keyOf(bucket, file) })) } }), { abortSignal: signal })
    await meter.pass('down', 0)
    const refused = Errors.filter(({ Code }) => Code !== 'NoSuchKey')
    const [first] = refused
    if (first !== undefined) throw Object.assign(new Error(`${first.Message ?? ''} (${first.Key ?? ''}${refused.length > 1 ? ` and ${refused.length - 1} more` : ''})`), { name: first.Code ?? 'Error' })
    onProgress?.({ phase: 'remove', filesDone: start + some.length, filesTotal: files.length })
  }
}
