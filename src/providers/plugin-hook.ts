import type { Interfaces } from '@oclif/core'

import { forbidExit } from '../host/foreign-code.js'
import { reasonIn, stackOf } from './thrown.js'

/** What is asked of oclif to run a hook. */
export type HookHost = Pick<Interfaces.Config, 'plugins' | 'runHook'>

/** What one plugin made of a hook. */
export type HookAnswer =
  | { readonly plugin: Interfaces.Plugin; readonly ok: true; readonly result: unknown }
  | { readonly plugin: Interfaces.Plugin; readonly ok: false; readonly reason: string; readonly isTooLate: boolean; /** For the run log. */ readonly stack: string }

export interface HookCall {
  readonly event: string
  readonly options: Record<string, unknown>
  /** For each plugin, its imports included. Milliseconds. */
  readonly limitMs: number
  /** Names of plugins that are not asked. */
  readonly without?: ReadonlySet<string>
}

/**
 * Runs a hook of every plugin that has it, each by itself, and never rejects. The answers stand in the order of the plugins'
 * names, so that a run is the same every night.
 *
 * oclif asks all at once and answers when the last one has: its own limit leaves out the import of the hook, and its timer does
 * not keep the process alive, so that a plugin that waits for nothing ends it in mid-run with code 13.
 */
export async function runPluginHook(host: HookHost, call: HookCall): Promise<readonly HookAnswer[]> {
  const plugins = [...host.plugins.values()].filter((plugin) => plugin.hooks[call.event] !== undefined && call.without?.has(plugin.name) !== true)
  const sorted = plugins.toSorted((one, other) => one.name.localeCompare(other.name))
  const allowExit = forbidExit()
  try {
    const answers = await Promise.all(sorted.map((plugin) => askOne(host, plugin, call)))
    return answers.flat()
  } finally {
    allowExit()
  }
}

async function askOne(host: HookHost, plugin: Interfaces.Plugin, { event, options, limitMs }: HookCall): Promise<readonly HookAnswer[]> {
  // All of oclif's configuration, but of the plugins only this one: its trouble is its own.
  const alone = Object.create(host, { plugins: { value: new Map([[plugin.name, plugin]]) } }) as HookHost
  try {
    // Without the last argument oclif swallows plain errors and lets its own kind reject the whole call.
    const { successes, failures } = await within(limitMs, alone.runHook(event, options, limitMs, true))
    return [...successes.map(({ result }): HookAnswer => ({ plugin, ok: true, result })), ...(await Promise.all(failures.map(({ error }) => failed(plugin, error))))]
  } catch (error) {
    return [await failed(plugin, error)]
  }
}

async function failed(plugin: Interfaces.Plugin, error: unknown): Promise<HookAnswer> {
  return { plugin, ok: false, reason: await reasonIn(plugin.root, error), isTooLate: error instanceof TooLate, stack: stackOf(error) }
}

class TooLate extends Error {}

/** Rejects after so long. The timer keeps the process alive: who waits for nothing at all would end it. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TooLate(`it took longer than ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
