import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Answer, Exec, RunningTool, SettingValues, ToolRequest, Transport } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'

import { rsync } from '../src/index.js'

/** What the core makes of an empty configuration. */
const defaults: SettingValues = Object.fromEntries(rsync.settings.map((setting) => [setting.key, 'default' in setting ? setting.default : null]))

/** A live transport with these settings. */
export async function transportWith(values: SettingValues, { exec = createExec(), dryRun = false }: { readonly exec?: Exec; readonly dryRun?: boolean } = {}): Promise<Transport> {
  return rsync.create({ ...defaults, ...values }, { signal: new AbortController().signal, log: () => {}, exec, dryRun, cacheDir: join(tmpdir(), 'stackbk-no-cache') })
}

/** Runs tools for real and remembers what was asked. */
export function recordingExec(environment: Readonly<Record<string, string>> = {}): Exec & { readonly requests: readonly ToolRequest[] } {
  const exec = createExec({ environment })
  const requests: ToolRequest[] = []
  const remember = (request: ToolRequest): ToolRequest => {
    requests.push(request)
    return request
  }
  return { requests, run: (request) => exec.run(remember(request)), start: (request) => exec.start(remember(request)) }
}

/** The real runner, and the last tool that it started. */
export function watchedExec(): Exec & { readonly last: () => RunningTool } {
  const exec = createExec()
  let last: RunningTool | null = null
  return {
    run: (request) => (last = exec.start(request)).result,
    start: (request) => (last = exec.start(request)),
    last: () => {
      if (last === null) throw new Error('nothing was started')
      return last
    },
  }
}

export function valueOf<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(JSON.stringify(answer.failure))
  return answer.value
}

export async function temporaryFolder(): Promise<{ readonly path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'stackbk-rsync-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
