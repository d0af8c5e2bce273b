import type { Problem } from '../errors.js'
import { setEntry } from './ini-edit.js'
import { parseIni } from './ini-file.js'

/** What an rclone configuration says of itself. */
export interface RcloneConfiguration {
  /** Names of its remotes; empty where it is encrypted. */
  readonly remotes: readonly string[]
  readonly isEncrypted: boolean
}

/** `null` for what is no rclone configuration: sections that each have a `type`. rclone's names count in their case. */
export function readRcloneConfiguration(text: string): RcloneConfiguration | null {
  if (/^RCLONE_ENCRYPT_V\d+:/m.test(text)) return { remotes: [], isEncrypted: true }
  const parts = text.replace(/^\uFEFF/, '').split(/^[ \t]*\[([^\]\r\n]+)\][ \t]*\r?$/m).slice(1)
  const remotes = parts.filter((_, index) => index % 2 === 0)
  const bodies = parts.filter((_, index) => index % 2 === 1)
  const isRclone = remotes.length > 0 && bodies.every((body) => /^[ \t]*type[ \t]*=/m.test(body))
  return isRclone ? { remotes, isEncrypted: false } : null
}

/** Our configuration's text with rclone's file named in it, and its remote where there is only one. What is given already stays, unless `force`. */
export function useRcloneConfiguration(request: {
  readonly text: string
  readonly rcloneFile: string
  readonly rclone: RcloneConfiguration
  readonly force: boolean
}): { readonly text: string; readonly taken: readonly string[]; readonly problems: readonly Problem[] } {
  const [onlyRemote, ...others] = request.rclone.remotes
  const wanted = [
    { key: 'RCLONE_CONFIG', names: ['RCLONE_CONFIG'], value: request.rcloneFile },
    ...(onlyRemote !== undefined && others.length === 0 ? [{ key: 'RCLONE_REMOTE', names: ['RCLONE_REMOTE', 'REMOTE'], value: onlyRemote }] : []),
  ]
  let { text } = request
  const taken: string[] = []
  const problems: Problem[] = []
  for (const { key, names, value } of wanted) {
    const ini = parseIni(text)
    const present = ini.entries.findLast((entry) => names.includes(entry.key) && entry.value !== '' && (ini.format === 'flat' || entry.section === 'cloud_sync'))
    if (present?.value === value) continue
    if (present && !request.force) {
      problems.push({
        severity: 'warning',
        code: 'kept',
        message: `${present.key} stays ${present.value} (line ${present.line})`,
        fix: `Give --force to have ${value}.`,
      })
      continue
    }
    text = setEntry(text, { section: 'cloud_sync', key: present?.key ?? key, value })
    taken.push(`cloud_sync/${key}`)
  }
  return { text, taken, problems }
}
