import { answered, failed, parseBandwidth, type Answer, type ProviderContext, type SettingValues, type Transport, type TransportTraits } from '@stackbk/contract'

import type { Bucket, Keeping } from './bucket.js'
import { createClient } from './client.js'
import { accessKeyOf, isKeyConfigured } from './credentials.js'
import { download } from './download.js'
import { examine } from './examine.js'
import { byHand, keepsakes } from './keepsakes.js'
import { listFiles, probe } from './list.js'
import { Meter } from './meter.js'
import { moveAll, moveFile } from './move.js'
import { locationOf, placeOf, textOf } from './place.js'
import { readFile } from './read.js'
import { removeFiles } from './remove.js'
import { upload } from './upload.js'

const [defaultTransfers, defaultPartSize, defaultLockDays] = [4, 32, 30]

/** An object is there when all of it has arrived, on every S3 server; the server copies by itself, and puts in the place of another in one step. */
const traits: TransportTraits = { appearsWhole: true, movesWhole: true, movesAtomically: true, readsRanges: true }

/** The transport that the settings describe. Connects to nobody yet. */
export function createS3Transport(values: SettingValues, context: ProviderContext): Transport {
  const place = placeOf(values)
  const bucket = bucketOf(values)
  const withBucket = async <T>(work: (bucket: Bucket) => Promise<Answer<T>>): Promise<Answer<T>> => (bucket.ok ? work(bucket.value) : bucket)
  const unlessDry = <T>(work: (bucket: Bucket) => Promise<Answer<T>>): Promise<Answer<T>> =>
    withBucket(async (known) => (context.dryRun ? failed({ kind: 'failed', message: 'a dry run transfers and changes nothing' }) : work(known)))
  const ready = (): Promise<Answer<void>> =>
    withBucket(async () => {
      if (!isKeyConfigured(values)) return answered(undefined)
      const key = await accessKeyOf(values)
      return key.ok ? answered(undefined) : key
    })

  return {
    location: locationOf(place),
    ready,
    examine: async (options) => examine(bucket, await ready(), options?.signal),
    keepsakes: () => withBucket((known) => keepsakes(known, values)),
    close: async () => {
      if (bucket.ok) bucket.value.client.destroy()
    },
    probe: (request) => withBucket((known) => probe(known, request)),
    traits: () => withBucket(async () => answered(traits)),
    list: (prefix, options) => withBucket((known) => listFiles(known, prefix, options)),
    upload: (request) => unlessDry((known) => upload(known, request)),
    download: (request) => unlessDry((known) => download(known, request)),
    read: (path, request) => withBucket((known) => readFile(known, path, request)),
    move: (from, to, options) => unlessDry((known) => moveFile(known, from, to, options)),
    moveAll: (files, request) => unlessDry((known) => moveAll(known, files, request)),
    remove: (files, options) => unlessDry((known) => removeFiles(known, files, options)),
    // A bucket has no end, and no server tells what is left of a quota.
    space: () => withBucket(async () => answered({ totalBytes: null, freeBytes: null })),
    byHand: ({ localRoot }) => (place.ok ? byHand(place.value, localRoot) : []),
  }
}

/** The bucket that is configured, with a client that has not connected yet. */
export function bucketOf(values: SettingValues): Answer<Bucket> {
  const place = placeOf(values)
  if (!place.ok) return place
  const bandwidth = textOf(values['BANDWIDTH'])
  const timetable = bandwidth === null ? null : parseBandwidth(bandwidth)
  if (bandwidth !== null && timetable === null) {
    return failed({ kind: 'configuration', message: `BANDWIDTH is no bandwidth: ${bandwidth}`, fix: 'Set BANDWIDTH as rclone writes it, such as 10M or "08:00,512k 23:00,off"' })
  }
  const meter = new Meter(timetable)
  const transfers = numberOf(values['TRANSFERS'], defaultTransfers)
  const key = isKeyConfigured(values) ? () => accessKeyOf(values) : null
  return answered({
    client: createClient(place.value, meter, { key, transfers }),
    place: place.value,
    meter,
    transfers,
    partBytes: numberOf(values['PART_SIZE'], defaultPartSize) * 1024 ** 2,
    keeping: keepingFrom(values),
  })
}

function keepingFrom(values: SettingValues): Keeping {
  const mode = values['OBJECT_LOCK_MODE']
  const lock = mode === 'governance' || mode === 'compliance' ? { mode: mode === 'governance' ? ('GOVERNANCE' as const) : ('COMPLIANCE' as const), days: numberOf(values['OBJECT_LOCK_DAYS'], defaultLockDays) } : null
  return { storageClass: textOf(values['STORAGE_CLASS']), lock }
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise
}
