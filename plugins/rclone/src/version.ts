import { answered, failed, type Answer } from '@stackbk/contract'

import { failureOf } from './failure.js'
import type { Rclone } from './rclone.js'

export interface RcloneVersion {
  readonly major: number
  readonly minor: number
  readonly text: string
}

/** The oldest that stackbk is tried with. */
export const oldestVersion: RcloneVersion = { major: 1, minor: 60, text: '1.60' }

/** Since this one an upload goes to a `.partial` file, where the backend would show a half one. */
export const firstWithPartialFiles: RcloneVersion = { major: 1, minor: 63, text: '1.63' }

/** How long rclone may take to answer a question that needs no network. */
export const localLimitMs = 10_000

export function isAtLeast(version: RcloneVersion, wanted: RcloneVersion): boolean {
  return version.major > wanted.major || (version.major === wanted.major && version.minor >= wanted.minor)
}

/** The version that is installed, whatever it is. */
export async function installedVersion(rclone: Rclone, signal?: AbortSignal): Promise<Answer<RcloneVersion>> {
  const run = await rclone.run({ verb: ['version'], signal, timeoutMs: localLimitMs })
  const found = /^rclone v(\d+)\.(\d+)\S*/m.exec(run.result.stdout)
  if (run.result.exitCode === 0 && found !== null) {
    return answered({ major: Number(found[1]), minor: Number(found[2]), text: found[0].slice('rclone v'.length) })
  }
  const failure = failureOf(run, { what: 'asking rclone for its version', remote: '', isTransfer: false })
  if (failure.kind === 'tool-missing' || failure.kind === 'cancelled' || failure.kind === 'configuration') return failed(failure)
  return failed({ kind: 'tool-not-answering', message: 'could not determine the version of rclone', toolOutput: run.words.text, fix: 'Run: rclone version' })
}

/** Null where the version is new enough. */
export function tooOld(version: RcloneVersion): { readonly ok: false; readonly failure: { readonly kind: 'tool-too-old'; readonly message: string; readonly fix: string } } | null {
  if (isAtLeast(version, oldestVersion)) return null
  return { ok: false, failure: { kind: 'tool-too-old', message: `rclone ${version.text} is too old: ${oldestVersion.text} is needed`, fix: `Install rclone ${oldestVersion.text} or newer` } }
}
