import type { Exec, ToolResult } from '@stackbk/contract'

import type { Place } from './place.js'
import { Progress2, type Count } from './progress.js'
import { remoteShell, sshOptions } from './ssh.js'

export interface RsyncCall {
  readonly flags: readonly string[]
  /** Files or folders, relative to the source; they go by standard input, whatever stands in their names. */
  readonly files?: readonly string[]
  readonly operands: readonly string[]
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  readonly stallTimeoutMs?: number | undefined
  readonly connectTimeoutMs?: number | undefined
  readonly onLine?: (line: string) => void
  readonly onCount?: (count: Count) => void
}

export interface RsyncRun {
  readonly result: ToolResult
  /** What rsync and SSH said, without what follows from it. */
  readonly words: string
}

/** Runs rsync with the host that is configured, always in the same manner. */
export interface Rsync {
  readonly place: Place
  run(call: RsyncCall): Promise<RsyncRun>
}

/** The one there ends by itself when nothing came for so long, be it that nobody here lives to tell it. Seconds. */
const silenceLimit = 600

/** How long a question may be without a word. */
const questionStallMs = 120_000

/** In the user's environment these would change what a call does, or how its answer reads. */
const environment = {
  LC_ALL: 'C',
  LANGUAGE: undefined,
  TZ: 'UTC',
  RSYNC_RSH: undefined,
  RSYNC_ICONV: undefined,
  RSYNC_PROTECT_ARGS: undefined,
  RSYNC_OLD_ARGS: undefined,
  RSYNC_PARTIAL_DIR: undefined,
  RSYNC_CONNECT_PROG: undefined,
  RSYNC_SKIP_COMPRESS: undefined,
  // Neither a window nor another program may be asked for a password.
  SSH_ASKPASS: undefined,
  SSH_ASKPASS_REQUIRE: undefined,
} as const

export function createRsync(exec: Exec, place: Place): Rsync {
  return {
    place,
    async run(call) {
      const progress = call.onCount === undefined ? null : new Progress2(call.onCount)
      const options = sshOptions(place, call.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: call.connectTimeoutMs })
      const stallTimeoutMs = call.stallTimeoutMs ?? (call.timeoutMs === undefined ? questionStallMs : undefined)
      const result = await exec.run({
        file: 'rsync',
        args: [
          `--rsh=${remoteShell(options)}`,
          ...(place.rsyncPath === null ? [] : [`--rsync-path=${place.rsyncPath}`]),
          `--timeout=${silenceLimit}`,
          '--no-human-readable',
          ...(call.files === undefined ? [] : ['--files-from=-', '--from0']),
          ...(progress === null ? [] : ['--info=progress2', '--stats', '--outbuf=N']),
          ...call.flags,
          '--',
          ...call.operands,
        ],
        env: environment,
        ...(call.files === undefined ? {} : { input: call.files.map((file) => `${file}\0`).join('') }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
        ...(call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs }),
        ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }),
        ...(progress === null ? {} : { returnsEndLines: true, onStdoutLine: (line: string) => progress.hear(line) }),
        ...(call.onLine === undefined ? {} : { onStdoutLine: call.onLine, keepBytes: 64 * 1024 }),
      })
      return { result, words: wordsOf(result.stderr) || silentEnd(result) }
    },
  }
}

/** Said by the other half of rsync when the first one has ended already, and no reason for anything. */
const consequences = /^rsync: .*write error: Broken pipe|^rsync error: .*\(code (12|255)\)|^rsync: connection unexpectedly closed|^$/

/** What there is to say of one that failed without a word, such as one that somebody killed. */
function silentEnd({ outcome, exitCode, endedBySignal }: ToolResult): string {
  return outcome === 'exited' && exitCode !== 0 ? `rsync ended with ${endedBySignal ?? `exit code ${exitCode ?? 'unknown'}`}` : ''
}

/** The last words; what merely follows from others only where there are none. */
function wordsOf(stderr: string): string {
  const lines = [...new Set(stderr.split('\n').map((line) => line.trim()))].filter((line) => line !== '')
  const causes = lines.filter((line) => !consequences.test(line))
  return (causes.length > 0 ? causes : lines).slice(-20).join('\n')
}
