import type { Exec, RunningTool, ToolResult } from '@stackbk/contract'

import { environmentOf } from './environment.js'
import { Words, type Stats } from './words.js'

export interface RcloneCall {
  /** `['lsjson']`, `['backend', 'features']`. */
  readonly verb: readonly string[]
  readonly flags?: readonly string[]
  /** Addresses and paths; they stand after `--`. */
  readonly operands?: readonly string[]
  readonly input?: string
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** Nothing moved for so long: ended. rclone's account comes each second even then, so its silence would show nothing. */
  readonly stallTimeoutMs?: number | undefined
  /** How long a connection may take, and may be silent. Absent: rclone's own 1 and 5 minutes. */
  readonly patienceMs?: number
  /** Short and often: the core tries again itself. */
  readonly lowLevelRetries?: number
  readonly stdout?: 'text' | 'bytes'
  /** The lines of standard output; they are not kept then. */
  readonly onStdoutLine?: (line: string) => void
  readonly onStats?: (stats: Stats) => void
}

export interface RcloneRun {
  readonly result: ToolResult
  readonly words: Words
  readonly hasStalled: boolean
}

/** Runs rclone, always in the same manner. */
export interface Rclone {
  run(call: RcloneCall): Promise<RcloneRun>
}

/** rclone starts as a shell does, in a tenth of a second; it is ended by its first SIGTERM, after it has put its partial files away. */
const stop = { signal: 'SIGTERM', graceMs: 10_000 } as const

/** rclone's own limits end a question long before this; a backend that knows none (a folder on a dead network disk) hangs for ever. */
const questionStallMs = 10 * 60_000

export function createRclone(exec: Exec, configFile: string | null): Rclone {
  const env = environmentOf(configFile)
  return {
    async run(call) {
      const { onStdoutLine } = call
      const watch = new StallWatch(call.stallTimeoutMs ?? (call.timeoutMs === undefined ? questionStallMs : undefined))
      const words = new Words((stats) => {
        watch.see(stats.pulse)
        call.onStats?.(stats)
      })
      const tool = exec.start({
        file: 'rclone',
        args: [...call.verb, ...commonFlags(call), ...(call.flags ?? []), ...(call.operands === undefined ? [] : ['--', ...call.operands])],
        env,
        stop,
        onStderrLine: (line) => words.hear(line),
        ...(call.input === undefined ? {} : { input: call.input }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
        ...(call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs }),
        ...(call.stdout === undefined ? {} : { stdout: call.stdout, keepBytes: Number.MAX_SAFE_INTEGER }),
        ...(onStdoutLine === undefined
          ? {}
          : {
              onStdoutLine: (line: string) => {
                watch.seeLine()
                onStdoutLine(line)
              },
              keepBytes: 0,
            }),
      })
      watch.begin(tool)
      const result = await tool.result
      watch.end()
      return { result, words, hasStalled: watch.hasStalled }
    },
  }
}

function commonFlags(call: RcloneCall): string[] {
  const patience = call.patienceMs === undefined ? [] : [`--contimeout=${call.patienceMs}ms`, `--timeout=${call.patienceMs}ms`]
  return [
    '--use-json-log',
    '--log-level=NOTICE',
    '--stats=1s',
    '--stats-log-level=NOTICE',
    '--ask-password=false',
    '--retries=1',
    `--low-level-retries=${call.lowLevelRetries ?? 3}`,
    ...patience,
  ]
}

/** Ends a tool whose account has not changed for too long. */
class StallWatch {
  readonly #limitMs: number | undefined
  #pulse = ''
  #timer: NodeJS.Timeout | null = null
  hasStalled = false

  constructor(limitMs: number | undefined) {
    this.#limitMs = limitMs
  }

  begin(tool: RunningTool): void {
    if (this.#limitMs === undefined) return
    this.#timer = setTimeout(() => {
      this.hasStalled = true
      void tool.stop()
    }, this.#limitMs)
  }

  see(pulse: string): void {
    if (pulse === this.#pulse) return
    this.#pulse = pulse
    this.#timer?.refresh()
  }

  /** A list that comes is no standstill, though older versions count nothing of it. */
  seeLine(): void {
    this.#timer?.refresh()
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
