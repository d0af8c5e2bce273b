import { GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import { type Answer, type Finding, failureInOneLine } from '@stackbk/contract'

import { within, type Bucket } from './bucket.js'
import { probe } from './list.js'
import { addressOf } from './place.js'
import { unfinished } from './unfinished.js'

/** How long `doctor` waits for the server. */
const examinationLimitMs = 10_000

/** Parts of so many uploads that were cut are worth a word. */
const manyUnfinished = 20

/** What `doctor` says of the bucket. */
export async function examine(bucket: Answer<Bucket>, ready: Answer<void>, signal?: AbortSignal): Promise<readonly Finding[]> {
  const configured = finding({ id: 's3.configuration', needed: 'a bucket and an access key' }, bucket.ok ? addressOf(bucket.value.place) : '', ready)
  if (!bucket.ok || configured.status === 'failed') return [configured]
  const reached = finding({ id: 's3.connection', needed: 'a server that can be reached and accepts the login' }, 'reached', await probe(bucket.value, { timeoutMs: examinationLimitMs, signal }))
  if (reached.status === 'failed') return [configured, reached]
  return [configured, reached, ...(await lockFindings(bucket.value, signal)), ...(await unfinishedFindings(bucket.value, signal))]
}

async function lockFindings(bucket: Bucket, signal?: AbortSignal): Promise<readonly Finding[]> {
  const { client, place, keeping } = bucket
  if (keeping.lock === null) return []
  const facts = { id: 's3.object-lock', needed: 'a bucket with object lock' }
  const found = await within(bucket, { what: 'asking for object lock', isTransfer: false }, { signal, timeoutMs: examinationLimitMs }, (abortSignal) => client.send(new GetObjectLockConfigurationCommand({ Bucket: place.bucket }), { abortSignal }))
  if (found.ok && found.value.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled') return [{ ...facts, status: 'ok', found: `${keeping.lock.mode.toLowerCase()}, ${keeping.lock.days} days`, fix: '' }]
  return [{ ...facts, status: 'failed', found: found.ok ? 'the bucket has none' : failureInOneLine(found.failure), fix: 'Remove OBJECT_LOCK_MODE from [plugin:s3], or use a bucket with object lock' }]
}

async function unfinishedFindings(bucket: Bucket, signal?: AbortSignal): Promise<readonly Finding[]> {
  const found = await within(bucket, { what: 'looking for unfinished uploads', isTransfer: false }, { signal, timeoutMs: examinationLimitMs }, (abortSignal) => unfinished(bucket, abortSignal))
  if (!found.ok || found.value.length < manyUnfinished) return []
  return [{ id: 's3.unfinished-uploads', status: 'warning', needed: 'few', found: `${found.value.length} interrupted uploads, whose parts cost money`, fix: 'The next sync that uploads something removes those older than a day' }]
}

function finding(facts: { readonly id: string; readonly needed: string }, found: string, answer: Answer<void>): Finding {
  if (answer.ok) return { ...facts, status: 'ok', found, fix: '' }
  return { ...facts, status: 'failed', found: failureInOneLine(answer.failure), fix: answer.failure.fix ?? '' }
}
