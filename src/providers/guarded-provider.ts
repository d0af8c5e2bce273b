import type { LiveProvider, Log, PreparedSnapshot, ProviderKind, ProviderKinds } from '@stackbk/contract'

import { StackbkError } from '../errors.js'
import { within } from './plugin-hook.js'
import { reasonOf, stackOf } from './thrown.js'

type MethodsOf<K extends ProviderKind> = { [M in keyof ProviderKinds[K]]-?: ProviderKinds[K][M] extends ((...args: never[]) => unknown) | undefined ? M : never }[keyof ProviderKinds[K]] & string

/** What a live object has to have, and may have, beside what every one has. True: it gives an `Answer`. */
const methods: { readonly [K in ProviderKind]: Readonly<Record<Exclude<MethodsOf<K>, keyof LiveProvider>, boolean>> } = {
  runtime: {
    identity: true, projectFolders: true, runningProjects: true, inspect: true, preflight: true, dataInContainers: true, sources: true, writersAt: true, stop: true, start: true, waitUntilUp: true, waitUntilSettled: true, watch: true, ranDuring: true, describe: true,
    recall: true, canRebuild: true, rebuild: true, startIsolated: true, runInside: true, removeVolumes: true, removeByLabel: true, isolationNeeds: true, freeNetworks: true, removePart: true,
  },
  engine: {
    open: true, init: true, repositoryId: true, location: false, at: false, prepare: false, verify: true, snapshots: true, list: true, eachEntry: true, excludeFilter: false, tag: true, forget: true, retain: true,
    check: true, restore: true, read: true, removeStaleLocks: true, layout: false, completeCopy: true, byHand: false, toolCommands: false,
  },
  transport: { probe: true, remotes: true, traits: true, list: true, upload: true, download: true, read: true, move: true, moveAll: true, remove: true, space: true, byHand: false },
  freezer: { canFreeze: true, settle: true, freeze: true, release: true, leftovers: true },
  notifier: { notify: true },
}

const ofEvery: Readonly<Record<keyof LiveProvider, boolean>> = { ready: true, examine: false, keepsakes: true, returnRenewed: true, close: false }

const optional: readonly string[] = ['projectFolders', 'runningProjects', 'dataInContainers', 'writersAt', 'ranDuring', 'isolationNeeds', 'freeNetworks', 'removePart', 'remotes', 'moveAll', 'byHand', 'settle', 'keepsakes', 'returnRenewed', 'eachEntry', 'excludeFilter', 'retain', 'layout', 'completeCopy', 'toolCommands']

/** What a provider that hangs may take. Milliseconds; the contract says under a second for `ready`, and that `canFreeze` is quick. */
const limits: Readonly<Record<string, number>> = { ready: 30_000, examine: 60_000, canFreeze: 15_000 }

/** Why what `create` gave is no such provider; `null` where it is one. */
export function whyNotLive(kind: ProviderKind, live: unknown): string | null {
  if (typeof live !== 'object' || live === null) return `its create() gave no ${kind}`
  const missing = Object.keys({ ...ofEvery, ...methods[kind] }).filter((name) => !optional.includes(name) && typeof (live as Record<string, unknown>)[name] !== 'function')
  return missing.length === 0 ? null : `its create() gave a ${kind} without ${missing.map((name) => `${name}()`).join(', ')}`
}

/**
 * A provider of somebody else's, so that what it throws, or answers against the contract, is said of the plugin and not of stackbk.
 * The stack of what it throws goes into the run log. What goes wrong before anything is touched (`ready`) is a matter of the configuration, which asks for it.
 */
export function guardedProvider<K extends ProviderKind>(kind: K, live: ProviderKinds[K], names: { readonly id: string; readonly plugin: string; readonly log: Log }): ProviderKinds[K] {
  const expected: Readonly<Record<string, boolean>> = { ...ofEvery, ...methods[kind] }
  const failure = (method: string, reason: string): StackbkError =>
    new StackbkError({
      kind: method === 'ready' ? 'configuration' : 'failed',
      code: 'provider-failed',
      message: `the ${kind} "${names.id}" failed unexpectedly in ${method}()`,
      detail: reason,
      fix: `Report it to the authors of the plugin ${names.plugin}, with the run log (stackbk.log in the state folder)`,
    })
  const thrownIn = (method: string, error: unknown): StackbkError => {
    if (error instanceof StackbkError) return error
    names.log('error', `the ${kind} "${names.id}" of ${names.plugin} threw in ${method}()`, { stack: stackOf(error) })
    return failure(method, reasonOf(error))
  }
  const checked = (method: string, answer: unknown): unknown => {
    if (kind === 'engine' && method === 'at') return guardedProvider(kind, answer as ProviderKinds[K], names)
    if (kind === 'engine' && method === 'prepare') return guardedPreparation(answer)
    if ((expected[method] !== true && method !== 'take') || isAnswer(answer)) return answer
    throw failure(method, 'it returned something that is not an Answer')
  }
  const call = (method: string, run: () => unknown): unknown => {
    try {
      const given = run()
      if (!isPromise(given)) return checked(method, given)
      const limit = limits[method]
      const limited = limit === undefined ? given : within(limit, given)
      return limited.then(
        (answer) => checked(method, answer),
        (error: unknown) => {
          throw thrownIn(method, error)
        },
      )
    } catch (error) {
      throw thrownIn(method, error)
    }
  }
  /** Its second phase is a call of the provider as well, and what it waits for may fail. */
  const guardedPreparation = (prepared: unknown): PreparedSnapshot => {
    if (!isPreparation(prepared)) throw failure('prepare', 'it returned something that is not a prepared snapshot')
    const ready = prepared.ready.then(
      (answer) => {
        if (isAnswer(answer)) return answer
        throw failure('prepare', 'its ready gave something that is not an Answer')
      },
      (error: unknown) => {
        throw thrownIn('prepare', error)
      },
    )
    return {
      ready,
      take: (options) => call('take', () => prepared.take(options)) as ReturnType<PreparedSnapshot['take']>,
      abandon: () => call('abandon', () => prepared.abandon()) as Promise<void>,
    }
  }
  return new Proxy(live, {
    // Bound to the object itself: one with private fields works on nothing else.
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function' || typeof name !== 'string') return value
      return (...args: unknown[]): unknown => call(name, () => Reflect.apply(value, target, args) as unknown)
    },
  })
}

function isPreparation(value: unknown): value is PreparedSnapshot {
  const { ready, take, abandon } = (value ?? {}) as { readonly ready?: unknown; readonly take?: unknown; readonly abandon?: unknown }
  return isPromise(ready) && typeof take === 'function' && typeof abandon === 'function'
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function isAnswer(value: unknown): boolean {
  const { ok, failure } = (value ?? {}) as { readonly ok?: unknown; readonly failure?: { readonly kind?: unknown; readonly message?: unknown } }
  return ok === true || (ok === false && typeof failure?.kind === 'string' && typeof failure.message === 'string')
}
