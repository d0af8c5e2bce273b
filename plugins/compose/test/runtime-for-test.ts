import type { Answer, Exec, LogLevel, Runtime, SettingValues, StackState } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { onTestFinished } from 'vitest'

import { type ComposeStack, type ComposeStackRequest, makeComposeStack } from '../../../test/fixtures/compose-stack.js'
import { composeRuntime } from '../src/index.js'

export interface LiveRuntime {
  readonly runtime: Runtime
  readonly log: readonly { readonly level: LogLevel; readonly message: string }[]
  /** The calls so far: those of the engine by method and path, those of the docker command line by their arguments. */
  readonly calls: readonly string[]
}

/** A live runtime on the real engine, closed when the test ends. */
export async function liveRuntime(settings: SettingValues = {}): Promise<LiveRuntime> {
  const live = await unownedRuntime(settings)
  onTestFinished(() => live.runtime.close())
  return live
}

/** The same, to be closed by the caller. */
export async function unownedRuntime(settings: SettingValues = {}): Promise<LiveRuntime> {
  const log: { level: LogLevel; message: string }[] = []
  const calls: string[] = []
  const exec = createExec()
  const counting: Exec = {
    ...exec,
    run: (call) => {
      calls.push((call.args ?? []).join(' '))
      return exec.run(call)
    },
  }
  const runtime = await composeRuntime.create(
    settings,
    {
      signal: new AbortController().signal,
      log: (level, message, fields) => {
        if (level === 'debug' && message.startsWith('engine: ')) calls.push(`${/^engine: (\S+)/.exec(message)![1]} ${String(fields?.['path'])}`)
        else log.push({ level, message })
      },
      exec: counting,
      dryRun: false,
      // It keeps nothing.
      cacheDir: '/nonexistent',
    },
  )
  return { runtime, log, calls }
}

/** A real stack, removed when the test ends. */
export async function liveStack(request: ComposeStackRequest): Promise<ComposeStack> {
  const stack = await makeComposeStack(request)
  onTestFinished(() => stack.remove())
  return stack
}

export function good<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value
  throw new Error(`${answer.failure.kind}: ${answer.failure.message}\n${answer.failure.toolOutput ?? ''}`)
}

export async function look(runtime: Runtime, directory: string): Promise<StackState> {
  return good(await runtime.inspect([directory]))[0]!
}

/** Stops by this mode and starts again from the journal; what runs then has been confirmed. */
export async function stopAndStart(runtime: Runtime, state: StackState, mode: 'stop' | 'down' | 'pause', graceSeconds = 5): Promise<void> {
  const since = new Date()
  const evidence = good(await runtime.stop(state, { mode, graceSeconds }))
  if (evidence.stillRunning.length > 0) throw new Error(`still running: ${evidence.stillRunning.join(', ')}`)
  const journalled = JSON.parse(JSON.stringify(state)) as StackState
  good(await runtime.start(journalled, { mode, healthTimeoutMs: 30_000 }))
  const report = good(await runtime.waitUntilUp(journalled, { since, timeoutMs: 30_000 }))
  if (!report.isUp) throw new Error(`not up: ${JSON.stringify(report.missing)}`)
}

export function containersOf(state: StackState): StackState['projects'][number]['containers'] {
  return state.projects.flatMap((project) => project.containers)
}
