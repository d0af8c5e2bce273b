import { type Answer, type Finding, failureInOneLine } from '@stackbk/contract'

import { firstWithPartialFiles, isAtLeast, oldestVersion, type RcloneVersion } from './version.js'

/** The questions that `doctor` asks, each only where the ones before it were answered well. */
export interface Questions {
  readonly location: string
  version(): Promise<Answer<RcloneVersion>>
  known(): Promise<Answer<void>>
  reached(): Promise<Answer<void>>
}

/** What `doctor` says of rclone and the remote. */
export async function examine(questions: Questions): Promise<readonly Finding[]> {
  const version = versionFinding(await questions.version())
  if (version.status === 'failed') return [version]
  const known = finding({ id: 'rclone.remote', needed: 'a remote in the configuration of rclone' }, questions.location, await questions.known())
  if (known.status === 'failed') return [version, known]
  return [version, known, finding({ id: 'rclone.connection', needed: 'a remote that can be reached and accepts the login' }, 'reached', await questions.reached())]
}

function versionFinding(version: Answer<RcloneVersion>): Finding {
  const facts = { id: 'rclone.version', needed: `${oldestVersion.text} or newer` }
  const fix = `Install rclone ${oldestVersion.text} or newer`
  if (!version.ok) return { ...facts, status: 'failed', found: failureInOneLine(version.failure), fix: version.failure.fix ?? fix, isToolTrouble: true }
  const { text } = version.value
  if (!isAtLeast(version.value, oldestVersion)) return { ...facts, status: 'failed', found: text, fix, isToolTrouble: true }
  if (isAtLeast(version.value, firstWithPartialFiles)) return { ...facts, status: 'ok', found: text, fix: '' }
  return { ...facts, status: 'warning', found: `${text}, which leaves partial files under their names when a transfer is interrupted`, fix: `Install rclone ${firstWithPartialFiles.text} or newer` }
}

function finding(facts: { readonly id: string; readonly needed: string }, found: string, answer: Answer<void>): Finding {
  if (answer.ok) return { ...facts, status: 'ok', found, fix: '' }
  return { ...facts, status: 'failed', found: failureInOneLine(answer.failure), fix: answer.failure.fix ?? '' }
}
