import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { failed, Secret } from '@stackbk/contract'

/** borg's names of errors, and what they are for stackbk. */
const kinds = {
  'Repository.DoesNotExist': 'repository-missing',
  'Repository.InvalidRepository': 'repository-missing',
  PassphraseWrong: 'wrong-password',
  LockTimeout: 'repository-locked',
  LockError: 'repository-locked',
  'Archive.DoesNotExist': 'not-found',
  IntegrityError: 'corrupt',
}

/** Runs borg on one repository. */
export class Borg {
  /** @param {{ repository: string, passphraseFile: string | null }} place */
  constructor(place, context) {
    this.repository = place.repository ?? ''
    this.passphraseFile = place.passphraseFile
    this.context = context
    // borg refuses a copy that is older than what it has seen before of the same repository: each folder has a memory of its own.
    this.home = join(context.dataDir, createHash('sha256').update(this.repository).digest('hex').slice(0, 16))
  }

  on(repository) {
    return new Borg({ repository, passphraseFile: this.passphraseFile }, this.context)
  }

  /** Runs borg to its end. Never throws: why it cannot be run is in `problem`. */
  async run(args, { signal, ...more } = {}) {
    let passphrase
    try {
      passphrase = this.passphraseFile === null ? '' : (await readFile(this.passphraseFile, 'utf8')).replace(/\r?\n$/, '')
    } catch (error) {
      return { problem: { kind: 'configuration', message: `the passphrase file ${this.passphraseFile} cannot be read`, toolOutput: error.message } }
    }
    const env = {
      BORG_BASE_DIR: this.home,
      BORG_PASSPHRASE: new Secret(passphrase),
      BORG_DISPLAY_PASSPHRASE: 'no',
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
      // Times are without a zone in borg's output.
      TZ: 'UTC',
      LC_ALL: 'C.UTF-8',
    }
    const result = await this.context.exec.run({ file: 'borg', args: ['--log-json', '--lock-wait=30', ...args], env, stop: { signal: 'SIGTERM', graceMs: 60_000 }, keepBytes: 64 * 1024 * 1024, ...more, ...(signal === undefined ? {} : { signal }) })
    return { ...result, messages: messagesOf(result.stderr), problem: null }
  }

  /** Returns the answer for a run that did not end well. borg ends with 1 where it has only warned. */
  failed(result, what) {
    if (result.problem !== null) return failed(result.problem)
    if (result.outcome === 'not-started') return failed({ kind: 'tool-missing', message: 'borg cannot be run', toolOutput: result.startError ?? '', fix: 'Install it: apt-get install borgbackup' })
    if (result.outcome !== 'exited') return failed({ kind: result.outcome, message: `${what}: borg was ended`, transient: result.outcome === 'stalled' })
    const [known] = result.messages.flatMap(({ id }) => kinds[id] ?? [])
    const words = result.messages.filter(({ level }) => level !== 'INFO').map(({ text }) => text)
    return failed({ kind: known ?? (/integrity error/i.test(words.join('\n')) ? 'corrupt' : 'failed'), message: what, toolOutput: words.slice(-5).join('\n') || result.stderr.slice(-500) })
  }
}

export function endedWell(result) {
  return result.problem === null && result.outcome === 'exited' && (result.exitCode === 0 || result.exitCode === 1)
}

function messagesOf(stderr) {
  return stderr.split('\n').flatMap((line) => {
    const entry = parsed(line)
    return entry?.type === 'log_message' ? [{ level: entry.levelname, id: entry.msgid ?? '', text: entry.message }] : []
  })
}

/** Returns the object in a line of JSON; `null` for any other line. */
export function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
