import {
  answered,
  failed,
  type Answer,
  type CallOptions,
  type Failure,
  type VerificationDepth,
  type VerificationRequest,
  type VerificationResult,
} from '@stackbk/contract'

import { eachEntry } from './contents.js'
import { isOfCircumstances, isOfWholeRepository } from './failure.js'
import { asNumber, parseObject } from './json.js'
import { openRepository } from './repository.js'
import type { Restic } from './restic.js'
import { isAtLeast } from './version.js'

/** `check` has taken snapshots as arguments since then. */
const firstThatChecksSnapshots = { major: 0, minor: 19 }

/**
 * Looks at the repository itself, never at restic's cache, which would hide a lost or damaged pack of trees.
 *
 * - `metadata`: one call that loads the trees of all; only if that fails, one each to tell whose trees do not load
 * - `files`: each snapshot's listing is counted
 * - `data`: that, and each snapshot's data is decrypted and compared with its hash
 */
export async function verifySnapshots(
  restic: Restic,
  requests: readonly VerificationRequest[],
  depth: VerificationDepth,
  options: CallOptions = {},
): Promise<Answer<readonly VerificationResult[]>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  if (requests.length === 0) return answered([])
  switch (depth) {
    case 'metadata':
      return (await allTreesLoad(restic, requests, options))
        ? answered(requests.map(({ id }) => sound(id)))
        : eachOf(restic, requests, { verify: ({ id }) => treesLoad(restic, id, options), options })
    case 'files':
      return eachOf(restic, requests, { verify: (request) => filesAreThere(restic, request, options), options })
    case 'data': {
      const isRead = await allDataReads(restic, requests, options)
      const verify = async (request: VerificationRequest): Promise<Answer<VerificationResult>> => {
        const listed = await filesAreThere(restic, request, options)
        return !listed.ok || !listed.value.isSound || isRead ? listed : dataReads(restic, request.id, options)
      }
      return eachOf(restic, requests, { verify, options })
    }
  }
}

/**
 * One after the other: each of them reads as fast as the disk goes. A snapshot is damaged only if the repository itself still
 * opens after that was found, and a second try comes to the same: an outage of its disk passes.
 */
async function eachOf(
  restic: Restic,
  requests: readonly VerificationRequest[],
  { verify, options }: { readonly verify: (request: VerificationRequest) => Promise<Answer<VerificationResult>>; readonly options: CallOptions },
): Promise<Answer<readonly VerificationResult[]>> {
  const results: VerificationResult[] = []
  for (const request of requests) {
    let result = await verify(request)
    if (result.ok && !result.value.isSound) {
      const opened = await openRepository(restic, options)
      if (!opened.ok) return opened
      result = await verify(request)
    }
    if (!result.ok) return result
    results.push(result.value)
  }
  return answered(results)
}

function sound(id: string): VerificationResult {
  return { id, isSound: true, reason: '' }
}

/** What is wrong with one snapshot is a result; what is wrong with the repository, the call or the machine is a failure. */
function unsound(id: string, failure: Failure): Answer<VerificationResult> {
  if (isOfWholeRepository(failure) || failure.transient === true || isOfCircumstances([failure.toolOutput ?? ''])) return failed(failure)
  return answered({
    id,
    isSound: false,
    reason: failure.kind === 'not-found' ? 'it is not in the repository' : (failure.toolOutput ?? failure.message),
  })
}

async function allTreesLoad(restic: Restic, requests: readonly VerificationRequest[], options: CallOptions): Promise<boolean> {
  if (requests.length === 1) return false
  const ids = [...new Set(requests.map(({ id }) => id))]
  const counted = await countedByStats(restic, ids, options)
  return counted.ok && counted.value === ids.length
}

async function treesLoad(restic: Restic, id: string, options: CallOptions): Promise<Answer<VerificationResult>> {
  const counted = await countedByStats(restic, [id], options)
  if (!counted.ok) return unsound(id, counted.failure)
  return counted.value === 1 ? answered(sound(id)) : answered({ id, isSound: false, reason: 'it is not in the repository' })
}

/** How many of the snapshots `stats` found and walked: one that is not there is only a warning for it. */
async function countedByStats(restic: Restic, ids: readonly string[], options: CallOptions): Promise<Answer<number>> {
  const result = await restic.run({
    command: 'stats',
    flags: ['--mode=restore-size'],
    operands: ids,
    locking: 'if-possible',
    cache: false,
    options,
  })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, 'the trees do not load')
  return answered(asNumber(parseObject(result.stdout)?.['snapshots_count']))
}

async function filesAreThere(restic: Restic, request: VerificationRequest, options: CallOptions): Promise<Answer<VerificationResult>> {
  const { id } = request
  let files = 0
  let bytes = 0
  const listed = await eachEntry(
    restic,
    id,
    (entry) => {
      if (entry.type !== 'file') return
      files += 1
      bytes += entry.bytes
    },
    { ...options, cache: false },
  )
  if (!listed.ok) return unsound(id, listed.failure)
  if (request.files !== null && files !== request.files) {
    return answered({ id, isSound: false, reason: `it holds ${files} files instead of ${request.files}` })
  }
  if (request.bytes !== null && bytes !== request.bytes) {
    return answered({ id, isSound: false, reason: `its files hold ${bytes} bytes instead of ${request.bytes}` })
  }
  return answered(sound(id))
}

/** One call for all, each pack read once. It wants the repository for itself and minds packs of others too, so a no means only: ask for each. */
async function allDataReads(restic: Restic, requests: readonly VerificationRequest[], options: CallOptions): Promise<boolean> {
  const version = await restic.version(options)
  if (!version.ok || !isAtLeast(version.value, firstThatChecksSnapshots)) return false
  const result = await restic.run({
    command: 'check',
    flags: ['--read-data'],
    operands: [...new Set(requests.map(({ id }) => id))],
    locking: 'if-possible',
    cache: false,
    options,
  })
  return result.outcome === 'exited' && result.exitCode === 0
}

/** The whole snapshot as an archive into nothing: restic compares the hash of each piece. */
async function dataReads(restic: Restic, id: string, options: CallOptions): Promise<Answer<VerificationResult>> {
  const result = await restic.run({
    command: 'dump',
    flags: ['--archive=tar', '--target=/dev/null'],
    operands: [id, '/'],
    locking: 'if-possible',
    cache: false,
    options,
  })
  if (result.outcome === 'exited' && result.exitCode === 0) return answered(sound(id))
  return unsound(id, restic.failureOf(result, 'its data cannot be read back'))
}
