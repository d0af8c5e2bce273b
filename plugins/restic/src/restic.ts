import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

import {
  answered,
  failed,
  type Answer,
  type CallOptions,
  type Exec,
  type Failure,
  type ProviderContext,
  type RunningTool,
  type StopManner,
  type ToolRequest,
  type ToolResult,
} from '@stackbk/contract'

import { failureOf } from './failure.js'
import { passwordEnvironment, type PasswordSource } from './password.js'
import type { RepositoryPlace } from './place.js'
import { usableVersion, type ResticVersion } from './version.js'

/** restic removes its lock at one SIGINT; a second would kill it. */
const stop: StopManner = { signal: 'SIGINT', graceMs: 10_000 }

/** Status lines a second: enough for a progress bar, and no work to speak of. */
const progressPerSecond = '4'

/**
 * What a call does about restic's lock:
 * - `needed`: it changes the repository, or must not have it changed underneath
 * - `if-possible`: it reads data; on a read-only medium it does so without
 * - `none`: it reads what is whole in itself (the configuration, snapshot files); this saves restic's 0.2 s of looking twice
 */
type Locking = 'needed' | 'if-possible' | 'none'

export interface ResticCall extends Pick<ToolRequest, 'lineEncoding' | 'onStdoutLine' | 'onStderrLine' | 'stdout' | 'keepBytes' | 'bindMounts'> {
  readonly command: string
  /** Prints what people read, and no more than was asked for, instead of JSON. */
  readonly isPlain?: boolean
  readonly flags?: readonly string[]
  /** Stand behind `--`. */
  readonly operands?: readonly string[]
  readonly locking: Locking
  /** False: nothing may come from a copy that lies elsewhere than in the repository. */
  readonly cache?: boolean
  readonly options?: Pick<CallOptions, 'signal'> | undefined
}

export interface ResticSettings {
  readonly place: RepositoryPlace
  readonly password: PasswordSource
  /** Milliseconds to wait for a lock that somebody else has; 0: not at all. */
  readonly lockWaitMs: number
  /** False for a copy: restic's cache goes by the repository's ID, which a copy shares, so it would hide what the copy lacks. */
  readonly usesCache: boolean
}

/** The one way in which this plugin calls restic, for one repository. */
export class Restic {
  readonly place: RepositoryPlace
  readonly exec: Exec
  readonly #settings: ResticSettings
  readonly #context: ProviderContext
  #version: ResticVersion | null = null
  readonly #killed = new Set<number>()

  constructor(settings: ResticSettings, context: ProviderContext) {
    this.#settings = settings
    this.#context = context
    this.place = settings.place
    this.exec = context.exec
  }

  /** The same password and surroundings on another folder. */
  on(place: RepositoryPlace): Restic {
    return new Restic({ ...this.#settings, place, usesCache: false }, this.#context)
  }

  /** For files of our own beside restic's. Not there before somebody makes it. */
  get ownFolder(): string {
    return this.#context.cacheDir
  }

  get password(): PasswordSource {
    return this.#settings.password
  }

  /** The version, where it can be worked with. Asked for once. */
  async version(options: CallOptions = {}): Promise<Answer<ResticVersion>> {
    if (this.#version !== null) return answered(this.#version)
    const version = await usableVersion(this.exec, options)
    if (version.ok) this.#version = version.value
    return version
  }

  run(call: ResticCall): Promise<ToolResult> {
    return this.start(call).result
  }

  start(call: ResticCall): RunningTool {
    const tool = this.exec.start(this.#request(call))
    void tool.result.then(({ endedBySignal }) => {
      if (endedBySignal !== null && tool.process !== null) this.#killed.add(tool.process.pid)
    })
    return tool
  }

  /** Process IDs of those that a signal has ended, by want of memory for one: they could not remove their locks. Told once. */
  takeKilled(): ReadonlySet<number> {
    const killed = new Set(this.#killed)
    this.#killed.clear()
    return killed
  }

  failureOf(result: ToolResult, what: string): Failure {
    return failureOf(result, what, this.#settings)
  }

  failed(result: ToolResult, what: string): { readonly ok: false; readonly failure: Failure } {
    return failed(this.failureOf(result, what))
  }

  #request(call: ResticCall): ToolRequest {
    const { lineEncoding, onStdoutLine, onStderrLine, stdout, keepBytes, bindMounts } = call
    return {
      file: 'restic',
      args: [
        call.command,
        call.isPlain === true ? '--quiet' : '--json',
        ...(this.#mayCache(call) ? [] : ['--no-cache']),
        ...(this.#mayLock(call.locking) ? this.#waitForLock() : ['--no-lock']),
        ...(call.flags ?? []),
        ...(call.operands === undefined ? [] : ['--', ...call.operands]),
      ],
      env: this.#environment(),
      secrets: this.place.secrets,
      stop,
      ...(call.options?.signal === undefined ? {} : { signal: call.options.signal }),
      ...(lineEncoding === undefined ? {} : { lineEncoding }),
      ...(onStdoutLine === undefined ? {} : { onStdoutLine }),
      ...(onStderrLine === undefined ? {} : { onStderrLine }),
      ...(stdout === undefined ? {} : { stdout }),
      ...(keepBytes === undefined ? {} : { keepBytes }),
      ...(bindMounts === undefined ? {} : { bindMounts }),
    }
  }

  #mayCache(call: ResticCall): boolean {
    return this.#settings.usesCache && !this.#context.dryRun && call.cache !== false
  }

  #waitForLock(): readonly string[] {
    const seconds = Math.ceil(this.#settings.lockWaitMs / 1000)
    return seconds > 0 ? [`--retry-lock=${seconds}s`] : []
  }

  #mayLock(locking: Locking): boolean {
    if (locking === 'needed') return true
    if (locking === 'none' || this.#context.dryRun) return false
    return this.place.path === null || isWritable(join(this.place.path, 'locks'))
  }

  /** On top of what is inherited, which may hold what a backend needs (keys of S3, proxies). */
  #environment(): Readonly<NonNullable<ToolRequest['env']>> {
    const { HOME, XDG_CACHE_HOME, RESTIC_CACHE_DIR } = process.env
    return {
      ...passwordEnvironment(this.#settings.password),
      // By environment, never by argument: it may hold a password, and anyone may read arguments.
      RESTIC_REPOSITORY: this.place.value,
      RESTIC_REPOSITORY_FILE: undefined,
      // It would filter every listing, and be part of what --host says.
      RESTIC_HOST: undefined,
      RESTIC_PROGRESS_FPS: progressPerSecond,
      // Without any of these restic refuses to make a snapshot.
      ...(HOME || XDG_CACHE_HOME || RESTIC_CACHE_DIR ? {} : { RESTIC_CACHE_DIR: this.#context.cacheDir }),
      LC_ALL: 'C',
    }
  }
}

/** Also false on a file system that is mounted read-only, for root too. */
function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
