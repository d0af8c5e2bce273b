import type { Failure } from './answer.js'
import type { Secret } from './secret.js'

/** Puts `source` in the place of `target`, seen by one tool and its children only. */
export interface BindMount {
  readonly source: string
  readonly target: string
}

/** How a tool is asked to end before it is killed. */
export interface StopManner {
  /** Sent once, to the whole process group. restic wants `SIGINT` (it removes its lock); a second one would kill it. */
  readonly signal: 'SIGTERM' | 'SIGINT'
  /** How long it may take to end before its group gets SIGKILL. */
  readonly graceMs: number
}

export interface ToolRequest {
  /** The program's name, looked up in PATH, or its absolute path. */
  readonly file: string
  /** One argument an entry. There is no shell, so nothing needs quoting. */
  readonly args: readonly string[]
  readonly cwd?: string
  /** On top of the inherited environment; `undefined` removes a variable. Secrets are revealed only here. */
  readonly env?: Readonly<Record<string, string | Secret | undefined>>
  /**
   * Written to standard input, which is then closed. Absent: standard input is empty. A stream is written part by part, as fast as
   * the tool reads it; if it throws, the tool is stopped, so that it does not take a part for the whole.
   */
  readonly input?: string | Secret | Uint8Array | AsyncIterable<string | Uint8Array>
  /** Absent: no limit. */
  readonly timeoutMs?: number
  /** Ended when neither stream carried a line for so long. Absent: no limit. */
  readonly stallTimeoutMs?: number
  /** Default: SIGTERM and 10 s. */
  readonly stop?: StopManner
  readonly signal?: AbortSignal
  /** Never shown: replaced in every line of the error stream, which is for people. Secrets among `env` and `input` are so already. */
  readonly secrets?: readonly Secret[]
  /** Takes out of each line of the error stream what must not be shown and cannot be named before. */
  readonly hideIn?: (line: string) => string
  /** Each line of standard output as it is, without its end: to be read by a program and shown to nobody. If it throws, the call has failed: {@link ToolResult.callerError}. */
  readonly onStdoutLine?: (line: string) => void
  /** `latin1`: a line of standard output is the string of its bytes, each a character, with nothing taken off its end: for names of files, which need not be UTF-8. Default: `utf8`. */
  readonly lineEncoding?: 'utf8' | 'latin1'
  /** A carriage return ends a line too: for tools that write how far they are over what they wrote before. */
  readonly returnsEndLines?: boolean
  /** Each line of the error stream, redacted. */
  readonly onStderrLine?: (line: string) => void
  /** `bytes`: standard output is collected unchanged into `stdoutBytes`, with no lines. Default: `text`. */
  readonly stdout?: 'text' | 'bytes'
  /** Of each stream at most so much is kept in the result: its end. Default 16 MiB for standard output, 64 KiB for errors. */
  readonly keepBytes?: number
  readonly bindMounts?: readonly BindMount[]
}

/**
 * - `exited`: by itself; look at `exitCode`
 * - `timed-out`, `stalled`, `cancelled`: ended by us
 * - `not-started`: there is no such program, or it may not be run
 */
export type ToolOutcome = 'exited' | 'timed-out' | 'stalled' | 'cancelled' | 'not-started'

export interface ToolResult {
  readonly outcome: ToolOutcome
  /** `null` when a signal ended it, when it never started, and when {@link callerError} is set. */
  readonly exitCode: number | null
  readonly endedBySignal: string | null
  readonly stdout: string
  readonly stdoutBytes: Uint8Array
  readonly stderr: string
  readonly durationMs: number
  /** True when SIGKILL was needed, or even that did not end it within 10 s (a process stuck in the kernel). */
  readonly wasKilled: boolean
  /** Why it was not started, as a sentence without a full stop: `no program restic in PATH`; for what is rare, in the system's words. */
  readonly startError: string | null
  /**
   * The error, with its stack, that a listener or the stream of `input` has thrown. The tool's output was not fully processed then,
   * so the call has failed however the tool ended: `exitCode` is `null`. `null` or absent: none.
   */
  readonly callerError?: string | null
}

/** Enough to find a process again after our own death, and to be sure that it is still the same one. */
export interface ToolProcess {
  readonly pid: number
  /** Clock ticks since boot, field 22 of /proc/PID/stat; `null` where that cannot be read. */
  readonly startTicks: number | null
}

/** A tool at work. */
export interface RunningTool {
  /** `null` when it could not be started; `result` then says why. */
  readonly process: ToolProcess | null
  /** Settles when the tool and its whole process group have ended. Never rejects. */
  readonly result: Promise<ToolResult>
  /** Ends it in its stop manner; settles as `result` does. */
  stop(): Promise<ToolResult>
}

/** The one way in which a provider runs a tool. */
export interface Exec {
  /** Runs to the end. Never rejects: what went wrong is in the outcome. */
  run(request: ToolRequest): Promise<ToolResult>
  start(request: ToolRequest): RunningTool
}

/** What the core makes of a tool that did not end well; `null` for one that exited with 0. */
export type ToolFailure = (result: ToolResult) => Failure | null
