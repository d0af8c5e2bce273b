import { existsSync } from 'node:fs'

import { execa } from 'execa'

import { isSecret } from '@stackbk/contract'
import type { Exec, RunningTool, Secret, StopManner, ToolOutcome, ToolProcess, ToolRequest, ToolResult } from '@stackbk/contract'

import { argvOf } from './bind-mounts.js'
import { LineSplitter, TextTail } from './lines.js'
import { endProcessGroup, groupIsAlive } from './process-group.js'
import { readProcess } from './process-table.js'
import { createRedactor } from './redaction.js'
import { isStream, writeStream } from './streamed-input.js'

const defaultStop: StopManner = { signal: 'SIGTERM', graceMs: 10_000 }
const defaultKeptOutput = 16 * 1024 * 1024
const defaultKeptErrors = 64 * 1024

/** Node lets a longer timer ring at once: 24.8 days are as good as for ever. */
const longestTimerMs = 2 ** 31 - 1

/** How long the output of a tool that has ended may stay open, held by something that left its process group. */
const pipeLimitMs = 12_000

export interface ExecOptions {
  /** Added to every tool's environment, such as a mark by which our tools are found again after our own death. */
  readonly environment?: Readonly<Record<string, string>>
  /** Taken out of the output of every tool. */
  readonly secrets?: readonly Secret[]
  /** Called right before a tool's start, in the same moment: if we die in between, nobody knows its process ID. */
  readonly onStarting?: (request: ToolRequest) => void
  /** Called right after a tool's start and after its end: what lives in between has to be ended if we die. */
  readonly onStart?: (process: ToolProcess, request: ToolRequest) => void
  readonly onEnd?: (process: ToolProcess, request: ToolRequest, result: ToolResult) => void
}

/** The runner that the core lends to all providers. Every tool gets a process group of its own, so that a terminal's Ctrl-C does not reach it before us. */
export function createExec(options: ExecOptions = {}): Exec {
  return {
    run: (request) => start(request, options).result,
    start: (request) => start(request, options),
  }
}

function start(request: ToolRequest, options: ExecOptions): RunningTool {
  const startedAt = performance.now()
  if (request.signal?.aborted) return neverStarted('cancelled', null)

  const redact = createRedactor([...(options.secrets ?? []), ...secretsOf(request)])
  const { file, args } = argvOf(request)
  const launch = () =>
    execa(file, args, {
      ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
      env: environmentOf(request, options),
      extendEnv: false,
      ...inputOf(request.input),
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      encoding: 'buffer',
      detached: true,
      cleanup: false,
      reject: false,
      stripFinalNewline: false,
    })
  let subprocess: ReturnType<typeof launch>
  options.onStarting?.(request)
  try {
    subprocess = launch()
  } catch (error) {
    // An argument or a variable that no program can be given.
    return neverStarted('not-started', Promise.resolve(redact(error instanceof Error ? error.message : String(error))))
  }
  const pid = subprocess.pid
  if (pid === undefined) {
    return neverStarted('not-started', subprocess.then((ended) => startErrorOf(ended, file, request.cwd)))
  }

  const toolProcess: ToolProcess = { pid, startTicks: readProcess(pid)?.startTicks ?? null }
  options.onStart?.(toolProcess, request)

  let outcome: ToolOutcome = 'exited'
  let giveUp = (): void => {}
  let ending: ReturnType<typeof endProcessGroup> | null = null
  // Resolved only when even SIGKILL does not end the tool: then nobody can, and its output is of no more use.
  const givenUp = new Promise<{ exitCode?: number; signal?: string }>((resolve) => {
    giveUp = () => {
      // It must not keep this process from ending either.
      subprocess.unref()
      subprocess.stdin?.destroy()
      subprocess.stdout.destroy()
      subprocess.stderr.destroy()
      resolve({})
    }
  })
  const endGroup = (manner: StopManner): void => {
    ending = endProcessGroup(pid, manner)
    void ending.then(({ isGone }) => {
      if (!isGone) giveUp()
    })
  }
  let hasExited = false
  const end = (because: ToolOutcome): void => {
    // What is over is not ended by us, even while something else still holds its output.
    if (ending !== null || hasExited) return
    outcome = because
    endGroup(request.stop ?? defaultStop)
  }

  const timeLimit = request.timeoutMs === undefined ? null : setTimeout(end, Math.min(request.timeoutMs, longestTimerMs), 'timed-out')
  let stallLimit: NodeJS.Timeout | null = null
  const noteLife = (): void => {
    if (request.stallTimeoutMs === undefined) return
    if (stallLimit === null) stallLimit = setTimeout(end, Math.min(request.stallTimeoutMs, longestTimerMs), 'stalled')
    else stallLimit.refresh()
  }
  noteLife()
  const onAbort = (): void => end('cancelled')
  request.signal?.addEventListener('abort', onAbort, { once: true })

  const bytes: Uint8Array[] = []
  const stdout = new TextTail(request.keepBytes ?? defaultKeptOutput)
  const stderr = new TextTail(request.keepBytes ?? defaultKeptErrors)
  let callerError: string | null = null
  /** Records an error of the caller's own code, which would otherwise end this whole process, perhaps with a stack down. */
  const failCaller = (what: string, error: unknown): void => {
    stderr.add(`(${what} failed: ${redact(String(error))})`)
    callerError ??= redact(error instanceof Error ? (error.stack ?? String(error)) : String(error))
  }
  /** The tool goes on when a listener throws: it may be about to start a stack. */
  const tell = (listener: ((line: string) => unknown) | undefined, line: string): void => {
    const onError = (error: unknown): void => failCaller('the listener to the output', error)
    try {
      const returned = listener?.(line)
      if (returned instanceof Promise) returned.catch(onError)
    } catch (error) {
      onError(error)
    }
  }
  if (isStream(request.input)) {
    void writeStream(request.input, subprocess.stdin).catch((error: unknown) => {
      failCaller('the stream of the input', error)
      // Its end would look to the tool like the end of all input.
      if (ending === null && !hasExited) endGroup(request.stop ?? defaultStop)
    })
  }
  const splitOutput = new LineSplitter((raw, isWhole) => {
    // Not redacted: it is read by programs, and a password such as `data` would falsify every path with that word in it.
    stdout.add(raw, isWhole)
    tell(request.onStdoutLine, raw)
  }, { ...(request.returnsEndLines === true ? { returnsEndLines: true } : {}), ...(request.lineEncoding === undefined ? {} : { encoding: request.lineEncoding }) })
  const splitErrors = new LineSplitter((raw, isWhole) => {
    const line = redact(request.hideIn === undefined ? raw : hiddenBy(request.hideIn, raw))
    stderr.add(line, isWhole)
    tell(request.onStderrLine, line)
  })
  subprocess.stdout.on('data', (chunk: Uint8Array) => {
    noteLife()
    if (request.stdout === 'bytes') bytes.push(chunk)
    else splitOutput.write(chunk)
  })
  subprocess.stderr.on('data', (chunk: Uint8Array) => {
    noteLife()
    splitErrors.write(chunk)
  })

  // A tool that ends by itself may leave children in its group, which would hold its output open and outlive us; one that
  // left the group (a daemon) is not ours to end, but must not keep us waiting for its copy of the pipes.
  let pipeLimit: NodeJS.Timeout | null = null
  subprocess.once('exit', () => {
    hasExited = true
    if (ending === null && groupIsAlive(pid)) endGroup(defaultStop)
    pipeLimit = setTimeout(() => {
      subprocess.stdout.destroy()
      subprocess.stderr.destroy()
    }, pipeLimitMs)
  })

  const finish = async (): Promise<ToolResult> => {
    const ended = await Promise.race([subprocess, givenUp])
    const killed = await (ending ?? Promise.resolve({ wasKilled: false }))
    if (pipeLimit !== null) clearTimeout(pipeLimit)
    if (timeLimit !== null) clearTimeout(timeLimit)
    if (stallLimit !== null) clearTimeout(stallLimit)
    request.signal?.removeEventListener('abort', onAbort)
    splitOutput.end()
    splitErrors.end()
    const result: ToolResult = {
      outcome,
      exitCode: callerError === null ? (ended.exitCode ?? null) : null,
      endedBySignal: ended.signal ?? null,
      stdout: stdout.toString(),
      stdoutBytes: Buffer.concat(bytes),
      stderr: stderr.toString(),
      durationMs: performance.now() - startedAt,
      wasKilled: killed.wasKilled,
      startError: null,
      callerError,
    }
    options.onEnd?.(toolProcess, request, result)
    return result
  }

  const result = finish()
  return {
    process: toolProcess,
    result,
    stop: () => {
      end('cancelled')
      return result
    },
  }
}

/** An error of it would end this whole process; and a line that could not be looked at must not be shown. */
function hiddenBy(hideIn: (line: string) => string, line: string): string {
  try {
    return hideIn(line)
  } catch {
    return '(a line that could not be redacted)'
  }
}

function neverStarted(outcome: 'cancelled' | 'not-started', reason: Promise<string> | null): RunningTool {
  const result = (reason ?? Promise.resolve(null)).then((startError) => ({
    outcome,
    exitCode: null,
    endedBySignal: null,
    stdout: '',
    stdoutBytes: new Uint8Array(),
    stderr: '',
    durationMs: 0,
    wasKilled: false,
    startError,
  }))
  return { process: null, result, stop: () => result }
}

/** Says why the system refused to start a program: in words for what is usual, else as the system says it. */
function startErrorOf(ended: { readonly code?: string | undefined; readonly originalMessage?: string | undefined; readonly shortMessage?: string | undefined }, file: string, cwd: string | undefined): string {
  const isFolderThere = cwd === undefined || existsSync(cwd)
  if (ended.code === 'ENOENT' && isFolderThere) {
    if (!file.includes('/')) return `no program ${file} in PATH`
    if (!existsSync(file)) return `there is no program ${file}`
  }
  if (ended.code === 'EACCES' && isFolderThere) return `${file} cannot be executed by this user (EACCES)`
  return ended.originalMessage ?? ended.shortMessage ?? 'it could not be started'
}

function environmentOf(request: ToolRequest, options: ExecOptions): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...process.env, ...options.environment, ...request.env })) {
    if (value !== undefined) environment[name] = isSecret(value) ? value.reveal() : value
  }
  return environment
}

function secretsOf(request: ToolRequest): Secret[] {
  return [...(request.secrets ?? []), ...Object.values(request.env ?? {}), request.input].filter(isSecret)
}

function inputOf(input: ToolRequest['input']): { readonly stdin: 'ignore' | 'pipe' } | { readonly input: string | Uint8Array } {
  if (input === undefined) return { stdin: 'ignore' }
  if (isStream(input)) return { stdin: 'pipe' }
  return { input: isSecret(input) ? input.reveal() : input }
}
