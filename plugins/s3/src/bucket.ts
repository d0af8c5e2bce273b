import type { S3Client } from '@aws-sdk/client-s3'
import { answered, failed, type Answer } from '@stackbk/contract'

import { failureOf, type Attempt } from './failure.js'
import type { Meter } from './meter.js'
import { Patience, type Limits } from './patience.js'
import type { Place } from './place.js'

/** How what is uploaded is kept. */
export interface Keeping {
  readonly storageClass: string | null
  /** `null`: not locked. */
  readonly lock: { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly days: number } | null
}

/** The bucket with all that its calls need. */
export interface Bucket {
  readonly client: S3Client
  readonly place: Place
  readonly meter: Meter
  readonly transfers: number
  readonly partBytes: number
  readonly keeping: Keeping
}

/** How long a question may wait without a byte. */
const questionPatienceMs = 60_000

/** Does one piece of work with the bucket: within its limits, and with every error as an answer. */
export async function within<T>(bucket: Bucket, attempt: Attempt, limits: Limits, work: (signal: AbortSignal) => Promise<T>): Promise<Answer<T>> {
  const patience = new Patience(limits.timeoutMs === undefined && limits.stallTimeoutMs === undefined ? { ...limits, stallTimeoutMs: questionPatienceMs } : limits)
  const unwatch = bucket.meter.watch(() => patience.see())
  try {
    if (patience.signal.aborted) return failed(failureOf(null, patience.endedBy, attempt))
    return answered(await work(patience.signal))
  } catch (error) {
    return failed(failureOf(error, patience.endedBy, attempt))
  } finally {
    unwatch()
    patience.end()
  }
}

export function keyOf(bucket: Bucket, path: string): string {
  return `${bucket.place.prefix}${path}`
}
