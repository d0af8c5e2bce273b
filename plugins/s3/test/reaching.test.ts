import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { freePort, startMuteServer } from '../../../test/fixtures/remotes.js'
import { failureOf } from '../src/failure.js'
import { startBucket, transportWith, valuesOf, type TestBucket } from './transport.js'

let bucket: TestBucket
beforeAll(async () => {
  bucket = await startBucket()
})
afterAll(async () => {
  await bucket?.close()
})

const mended = { ok: false, failure: { kind: 'remote-unreachable', transient: false } }
const later = { ok: false, failure: { kind: 'remote-unreachable', transient: true } }

async function timed<T>(work: Promise<T>): Promise<{ readonly answer: T; readonly ms: number }> {
  const start = performance.now()
  const answer = await work
  return { answer, ms: performance.now() - start }
}

test('a bucket that is not there is no empty list, and none is made', async () => {
  const transport = await transportWith(valuesOf(bucket, { BUCKET: 'nowhere' }))
  for (const answer of [await transport.probe({ timeoutMs: 10_000 }), await transport.list(''), await transport.list('data'), await transport.read('config')]) {
    expect(answer).toMatchObject({ ok: false, failure: { transient: false, message: expect.stringContaining('no such bucket') as string } })
  }
  expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject(mended)
  expect((await transport.examine()).at(-1)).toMatchObject({ id: 's3.connection', status: 'failed' })
})

test('a bucket without object lock is told by doctor where a lock is asked for', async () => {
  const transport = await transportWith(valuesOf(bucket, { OBJECT_LOCK_MODE: 'governance' }))
  expect((await transport.examine()).at(-1)).toMatchObject({ id: 's3.object-lock', status: 'failed' })
})

describe('may be reached later', () => {
  test('a port where nobody listens, told at once', async () => {
    const transport = await transportWith(valuesOf(bucket, { ENDPOINT: `http://127.0.0.1:${await freePort()}` }))
    const { answer, ms } = await timed(transport.probe({ timeoutMs: 10_000 }))
    expect(answer).toMatchObject(later)
    expect(ms).toBeLessThan(5000)
    for (const other of [await transport.list(''), await transport.read('config'), await transport.remove(['config']), await transport.move('a', 'b')]) expect(other).toMatchObject(later)
  })

  test('a server that accepts and never says a word, when the limit is over', async () => {
    const mute = await startMuteServer()
    try {
      const { answer, ms } = await timed((await transportWith(valuesOf(bucket, { ENDPOINT: `http://127.0.0.1:${mute.port}` }))).probe({ timeoutMs: 1200 }))
      expect(answer).toMatchObject(later)
      expect(ms).toBeLessThan(3000)
    } finally {
      await mute.close()
    }
  })

  test('a host that nobody knows', async () => {
    expect(await (await transportWith(valuesOf(bucket, { ENDPOINT: 'http://nohost.invalid' }))).probe({ timeoutMs: 10_000 })).toMatchObject(later)
  })
})

test('a web page at the address is no S3 server', async () => {
  const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>Hello <b>there')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const transport = await transportWith(valuesOf(bucket, { ENDPOINT: `http://127.0.0.1:${port}` }))
    expect(await transport.probe({ timeoutMs: 10_000 })).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable' } })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

/** What servers answer that ours does not: names and status as the SDK gives them. */
test.each([
  [{ name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } }, 'remote-unreachable', false, 'access key'],
  [{ name: 'RequestTimeTooSkewed', $metadata: { httpStatusCode: 403 } }, 'remote-unreachable', false, 'clock'],
  [{ name: 'PermanentRedirect', $metadata: { httpStatusCode: 301 } }, 'remote-unreachable', false, 'region'],
  [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, 'transfer-failed', true, 'busy'],
  [{ name: 'AccessDenied', message: 'Cannot upload files, storage cap exceeded', $metadata: { httpStatusCode: 403 } }, 'transfer-failed', false, 'no room'],
  [{ name: 'XMinioStorageFull', $metadata: { httpStatusCode: 507 } }, 'transfer-failed', false, 'no room'],
  [{ name: 'AccessDenied', message: 'Access Denied', $metadata: { httpStatusCode: 403 } }, 'transfer-failed', false, 'not permitted'],
  [{ name: 'InvalidObjectState', $metadata: { httpStatusCode: 403 } }, 'transfer-failed', false, 'archive'],
  [{ name: 'Error', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' }, 'remote-unreachable', false, 'certificate'],
  [{ name: 'CredentialsProviderError', message: 'Could not load credentials from any providers' }, 'configuration', false, 'no access key'],
])('%j is told apart', (error, kind, transient, reason) => {
  expect(failureOf(error, null, { what: 'uploading', isTransfer: true })).toMatchObject({ kind, transient, message: expect.stringContaining(reason) as string })
})

test('a key that the server does not know is unreachable until somebody mends it, and never an empty list', async () => {
  const transport = await transportWith(valuesOf(bucket))
  await bucket.demandRealKeys()
  for (const answer of [await transport.probe({ timeoutMs: 10_000 }), await transport.list(''), await transport.list('data')]) {
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'remote-unreachable', transient: false, message: expect.stringContaining('access key') as string } })
  }
})
