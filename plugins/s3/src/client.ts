import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

import { S3Client } from '@aws-sdk/client-s3'
import type { Answer, Failure } from '@stackbk/contract'

import type { AccessKey } from './credentials.js'
import type { Meter } from './meter.js'
import type { Place } from './place.js'

/** The core tries again itself, later: this is for what passes at once. */
const triesOfACall = 3

/** Connecting may take so long before it is tried again. */
const connectionLimitMs = 20_000

/** Thrown through the SDK where the access key that is configured cannot be had. */
export class NoAccessKey extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message)
    this.name = 'NoAccessKey'
    this.failure = failure
  }
}

/**
 * A client of the bucket's server. `transfers`: files at the same time. `key`: `null` where none is configured, and the SDK asks
 * where every AWS tool does (environment, `~/.aws`, the machine). Connects to nobody yet.
 */
export function createClient(place: Place, meter: Meter, { key, transfers }: { readonly key: (() => Promise<Answer<AccessKey>>) | null; readonly transfers: number }): S3Client {
  const agent = { keepAlive: true, maxSockets: transfers + 2 }
  const client = withoutWords(
    () =>
      new S3Client({
        region: place.region,
        ...(place.endpoint === null ? {} : { endpoint: place.endpoint }),
        forcePathStyle: place.isPathStyle,
        maxAttempts: triesOfACall,
        // Its own checksums are not understood by every server; ours, the older ones, are (see below).
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        requestHandler: { connectionTimeout: connectionLimitMs, httpAgent: agent, httpsAgent: agent },
        ...(key === null
          ? {}
          : {
              credentials: async () => {
                const found = await key()
                if (!found.ok) throw new NoAccessKey(found.failure)
                return { accessKeyId: found.value.id, secretAccessKey: found.value.secret.reveal() }
              },
            }),
      }),
  )
  addContentMd5(client)
  passThrough(client, meter)
  return client
}

const silence = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'

/** On older versions of Node the SDK announces in every process which one its later versions want. Not to the user of this one. */
function withoutWords<T>(make: () => T): T {
  const before = process.env[silence]
  process.env[silence] = 'true'
  try {
    return make()
  } finally {
    if (before === undefined) delete process.env[silence]
    else process.env[silence] = before
  }
}

/**
 * The sum of each body, which every S3 server since the first compares with what has arrived; deleting many objects and
 * uploading with object lock are refused without one.
 */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as HttpRequest
      const bytes = bytesOf(request.body)
      if (bytes !== null && (bytes.length > 0 || request.method === 'PUT')) request.headers['content-md5'] = createHash('md5').update(bytes).digest('base64')
      return next(args)
    },
    { step: 'build', name: 'stackbkContentMd5' },
  )
}

/** What is sent goes in pieces through the meter. After the signature, so that a second try begins with the whole body again. */
function passThrough(client: S3Client, meter: Meter): void {
  client.middlewareStack.addRelativeTo(
    <A extends { readonly request: unknown }, R>(next: (args: A) => Promise<R>) => async (args: A): Promise<R> => {
      const request = args.request as HttpRequest
      const bytes = bytesOf(request.body)
      if (bytes === null || bytes.length === 0) return next(args)
      const metered = Object.assign(Object.create(Object.getPrototypeOf(request) as object) as object, request, { body: Readable.from(meter.pieces(bytes), { objectMode: false }) })
      return next({ ...args, request: metered })
    },
    { relation: 'after', toMiddleware: 'httpSigningMiddleware', name: 'stackbkMeter' },
  )
}

interface HttpRequest {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: unknown
}

function bytesOf(body: unknown): Uint8Array | null {
  if (typeof body === 'string') return Buffer.from(body)
  return body instanceof Uint8Array ? body : null
}
