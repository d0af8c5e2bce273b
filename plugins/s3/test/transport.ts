import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { S3Client } from '@aws-sdk/client-s3'
import { Secret, type Answer, type SettingValues, type Transport } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'

import { startBucket, type TestBucket } from '../../../test/fixtures/s3-bucket.js'
import { s3 } from '../src/index.js'

/** What the core makes of an empty configuration. */
const defaults: SettingValues = Object.fromEntries(s3.settings.map((setting) => [setting.key, 'default' in setting ? setting.default : null]))

/** What the core makes of a bucket's section. */
export function valuesOf(bucket: TestBucket, changes: SettingValues = {}): SettingValues {
  return { ...defaults, ...bucket.settings(bucket.freshPrefix()), SECRET_ACCESS_KEY: new Secret(bucket.secret), ...changes }
}

/** A live transport with these settings. */
export async function transportWith(values: SettingValues, { dryRun = false } = {}): Promise<Transport> {
  return s3.create({ ...defaults, ...values }, { signal: new AbortController().signal, log: () => {}, exec: createExec(), dryRun, cacheDir: join(tmpdir(), 'stackbk-no-cache') })
}

/** A client of the test's own. */
export function clientOf(bucket: TestBucket): S3Client {
  return new S3Client({ endpoint: bucket.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId: bucket.accessKey, secretAccessKey: bucket.secret } })
}

export { startBucket, type TestBucket }

export function valueOf<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(JSON.stringify(answer.failure))
  return answer.value
}

export async function temporaryFolder(): Promise<{ readonly path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'stackbk-s3-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
