import { transportSuite } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, describe, test } from 'vitest'

import { freePort } from '../../../test/fixtures/remotes.js'
import { startBucket, temporaryFolder, transportWith, valuesOf, type TestBucket } from './transport.js'

describe('an S3 bucket', () => {
  let bucket: TestBucket
  beforeAll(async () => {
    bucket = await startBucket()
  })
  afterAll(async () => {
    await bucket?.close()
  })

  const suite = transportSuite(async () => {
    const folder = await temporaryFolder()
    return { transport: await transportWith(valuesOf(bucket)), unreachable: await transportWith(valuesOf(bucket, { ENDPOINT: `http://127.0.0.1:${await freePort()}` })), localRoot: folder.path, close: folder.remove }
  })
  for (const { name, run } of suite) test(name, run)
})
