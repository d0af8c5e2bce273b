import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CopyObjectCommand, CreateMultipartUploadCommand, UploadPartCopyCommand, type CompletedPart } from '@aws-sdk/client-s3'
import { done, filesInWords, plainFolder, refuseNames, type Answer, type CallOptions } from '@stackbk/contract'

import { keyOf, within, type Bucket } from './bucket.js'
import { isMissing } from './failure.js'
import { fileAt } from './list.js'
import { below } from './below.js'
import { inParallel } from './parallel.js'
import { addressOf } from './place.js'
import { removeAll } from './remove.js'
import { keepingOf } from './upload.js'

/** S3 copies no larger object in one call; what is larger goes in parts of so many bytes. */
const largestCopy = 5 * 1024 ** 3

/** What is left of a failed copy may take so long to be put away. */
const abortLimitMs = 10_000

/** Moves one file: the server copies it, which appears whole, and the old one is deleted. What is not there is none of our business. */
export async function moveFile(bucket: Bucket, from: string, to: string, options: CallOptions = {}): Promise<Answer<void>> {
  const named = refuseNames([from, to])
  if (!named.ok) return named
  return moveEach(bucket, [{ from, to }], options)
}

/** Moves files from below one folder to below another. */
export async function moveAll(bucket: Bucket, files: readonly string[], request: { readonly from: string; readonly to: string } & CallOptions): Promise<Answer<void>> {
  const [from, to] = [plainFolder(request.from), plainFolder(request.to)]
  const named = refuseNames([...files, ...[from, to].filter((folder) => folder !== '')])
  if (!named.ok) return named
  return moveEach(bucket, files.map((file) => ({ from: below(from, file), to: below(to, file) })), request)
}

interface Move {
  readonly from: string
  readonly to: string
}

async function moveEach(bucket: Bucket, moves: readonly Move[], { signal, onProgress }: CallOptions): Promise<Answer<void>> {
  const wanted = moves.filter(({ from, to }) => from !== to)
  if (wanted.length === 0) return done
  const attempt = { what: `moving ${filesInWords(wanted.map(({ from }) => from))} on ${addressOf(bucket.place)}`, isTransfer: true }
  return within(bucket, attempt, { signal }, async (abortSignal) => {
    const copied: string[] = []
    await inParallel(wanted, bucket.transfers, async (move) => {
      if (await copy(bucket, move, abortSignal)) copied.push(move.from)
      await bucket.meter.pass('up', 0)
      onProgress?.({ phase: 'move', filesDone: copied.length, filesTotal: wanted.length })
    })
    await removeAll(bucket, copied, abortSignal)
  })
}

/** @returns whether there was anything to copy. Throws. */
async function copy(bucket: Bucket, { from, to }: Move, signal: AbortSignal): Promise<boolean> {
  const { client, place } = bucket
  try {
    await client.send(new CopyObjectCommand({ Bucket: place.bucket, Key: keyOf(bucket, to), CopySource: sourceOf(bucket, from), ...keepingOf(bucket.keeping, new Date()) }), { abortSignal: signal })
    return true
  } catch (error) {
    if (isMissing(error)) return false
    const size = signal.aborted ? 0 : ((await fileAt(bucket, from, signal))?.size ?? 0)
    if (size <= largestCopy) throw error
    await copyInParts(bucket, { from, to, size, partBytes: largestCopy }, signal)
    return true
  }
}

/** For objects that are too large to be copied in one call. Throws. */
export async function copyInParts(bucket: Bucket, { from, to, size, partBytes }: Move & { readonly size: number; readonly partBytes: number }, signal: AbortSignal): Promise<void> {
  const { client, place, keeping } = bucket
  const target = { Bucket: place.bucket, Key: keyOf(bucket, to) }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ...keepingOf(keeping, new Date()) }), { abortSignal: signal })
  try {
    const parts: CompletedPart[] = []
    for (let start = 0; start < size; start += partBytes) {
      const PartNumber = parts.length + 1
      const range = `bytes=${start}-${Math.min(start + partBytes, size) - 1}`
      const { CopyPartResult } = await client.send(new UploadPartCopyCommand({ ...target, UploadId, PartNumber, CopySource: sourceOf(bucket, from), CopySourceRange: range }), { abortSignal: signal })
      parts.push({ PartNumber, ETag: CopyPartResult?.ETag })
      await bucket.meter.pass('up', 0)
    }
    await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } }), { abortSignal: signal })
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...target, UploadId }), { abortSignal: AbortSignal.timeout(abortLimitMs) }).catch(() => {})
    throw error
  }
}

function sourceOf(bucket: Bucket, path: string): string {
  return `${bucket.place.bucket}/${keyOf(bucket, path)}`.split('/').map(encodeURIComponent).join('/')
}
