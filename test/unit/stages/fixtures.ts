import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import type { Answer, ContainerState, Engine, Failure, Freezer, ProjectState, Runtime, Snapshot, Source, StackState, Transport } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'
import { afterEach, beforeEach } from 'vitest'

import { type Configuration, checkConfiguration } from '../../../src/config/configuration.js'
import { StackbkError } from '../../../src/errors.js'
import { stateFolder, type StateFolder } from '../../../src/host/state-folder.js'
import { EventQueue } from '../../../src/providers/events.js'
import { Notifiers } from '../../../src/providers/notifiers.js'
import type { Stack } from '../../../src/stacks/identity.js'
import { Journal } from '../../../src/stacks/journal.js'
import { silentReporter } from '../../../src/stages/reporter.js'
import type { LockSubject, Run } from '../../../src/stages/run.js'

/** A folder of the test's own, gone after it. */
export const world = { folder: '' }

beforeEach(() => {
  world.folder = mkdtempSync(join(tmpdir(), 'stackbk-stage-'))
})

afterEach(() => {
  rmSync(world.folder, { recursive: true, force: true })
})

export function at(path: string): string {
  return join(world.folder, path)
}

export function write(path: string, text: string | Uint8Array = 'x'): string {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), text)
  return at(path)
}

export function ok<T>(value: T): Answer<T> {
  return { ok: true, value }
}

export function failure(kind: Failure['kind'] = 'failed', more: Partial<Failure> = {}): { ok: false; failure: Failure } {
  return { ok: false, failure: { kind, message: `${kind} in this test`, ...more } }
}

export function container(service: string, more: Partial<ContainerState> = {}): ContainerState {
  return {
    id: `${service}-id`,
    name: `web-${service}-1`,
    service,
    number: 1,
    isOneOff: false,
    condition: 'running',
    health: 'none',
    startedAt: '2026-01-01T00:00:00.000Z',
    exitCode: null,
    restartPolicy: 'no',
    image: { reference: service, id: `sha256:${service}` },
    configHash: `hash-of-${service}`,
    dependsOn: [],
    networkMode: 'default',
    networks: [],
    mounts: [],
    stopGraceSeconds: 10,
    isRemovedWhenStopped: false,
    labels: {},
    ...more,
  }
}

export function stateOf(containers: readonly ContainerState[], more: Partial<StackState> = {}): StackState {
  const project: ProjectState = { name: 'web', workingDirectory: at('stacks/web'), configFiles: [], environmentFiles: [], containers }
  const condition = containers.some((one) => one.condition === 'running') ? 'running' : 'stopped'
  return { schemaVersion: 1, directory: at('stacks/web'), condition, failure: null, projects: [project], dependents: [], takenAt: '2026-01-01T00:00:00.000Z', ...more }
}

export function stackAt(name = 'web'): Stack {
  return { name, directory: at(`stacks/${name}`), entryPath: at(`stacks/${name}`), isExternal: false, composeFile: 'compose.yaml' }
}

export function source(path: string, more: Partial<Source> = {}): Source {
  return { kind: 'directory', path, volume: '', services: ['app'], isWritable: true, canBeRead: true, whyNot: '', device: null, otherUsers: [], ...more }
}

/** Answers `writersAt` for a host on which no one else writes to any place. */
export const nobodyWrites: NonNullable<Runtime['writersAt']> = (places) => Promise.resolve(ok(places.map((place) => ({ ...place, otherUsers: [], usersInside: [], possibleWriters: [] }))))

export function snapshotOf(id: string, more: Partial<Snapshot> = {}): Snapshot {
  return { id, time: '2026-01-01T00:00:00.000Z', host: 'host', paths: [], tags: ['stackbk', 'stack:web'], parent: null, tree: 'tree', bytes: 1, files: 1, ...more }
}

/** An object of which a test gives the few parts that are used; any other fails when it is called. */
export function partly<T extends object>(name: string, parts: Partial<T>): T {
  return new Proxy(parts as T, {
    get: (target, key, receiver): unknown => {
      if (key in target || typeof key === 'symbol' || key === 'then') return Reflect.get(target, key, receiver)
      return () => {
        throw new Error(`${name}.${key} was not expected`)
      }
    },
  })
}

export function configuration(text = ''): Configuration {
  return checkConfiguration({ file: at('config.ini'), exists: true, text: `[docker]\nDOCKER_STACKS_DIR=${at('stacks')}\n[local_backup]\nHOSTNAME=host\n${text}`, mode: 0o600, environment: {}, descriptors: [], needs: [] })
}

/** A run on nothing but the test's folder. `locked` and `logged` grow as it goes. */
export interface TestRun extends Run {
  readonly locked: LockSubject[]
  readonly logged: { readonly level: string; readonly message: string; readonly fields: unknown }[]
}

export function testRun(parts: { runtime?: Partial<Runtime>; engine?: Partial<Engine>; transport?: Partial<Transport>; freezers?: Readonly<Record<string, Partial<Freezer>>>; configuration?: Configuration; signal?: AbortSignal; dryRun?: boolean } = {}): TestRun {
  const state: StateFolder = stateFolder({ STACKBK_STATE_DIR: at('state') })
  const locked: LockSubject[] = []
  const logged: TestRun['logged'] = []
  const facts = { id: 'run-1', command: 'backup', dryRun: parts.dryRun ?? false }
  return {
    ...facts,
    startedAt: new Date('2026-01-01T00:00:00.000Z'),
    interruptedBy: () => null,
    configuration: parts.configuration ?? configuration(),
    state,
    journal: new Journal(state.journal),
    signal: parts.signal ?? new AbortController().signal,
    log: (level, message, fields) => logged.push({ level, message, fields }),
    reporter: silentReporter,
    events: new EventQueue({ plugins: new Map(), runHook: () => Promise.resolve({ successes: [], failures: [] }) }, facts, () => {}),
    notifiers: new Notifiers({ offers: { usable: [], unusable: [], plugins: [] }, settings: configuration(), log: () => {}, exec: createExec(), cacheFolder: state.cache, dataFolder: state.providers }),
    notes: {},
    replayed: { problems: [] },
    telling: { begin: () => {}, catchUp: () => Promise.resolve() },
    runtime: () => Promise.resolve(partly<Runtime>('runtime', parts.runtime ?? {})),
    engine: () => Promise.resolve(partly<Engine>('engine', { layout: () => ({ groups: [], ignored: [] }), toolCommands: () => ({}), ...parts.engine })),
    transport: () => Promise.resolve(partly<Transport>('transport', parts.transport ?? {})),
    freezerIds: () => Object.keys(parts.freezers ?? {}),
    freezer: (id) => Promise.resolve(partly<Freezer>(`freezer ${id}`, parts.freezers?.[id] ?? {})),
    exec: createExec(),
    lock: (...subjects) => {
      locked.push(...subjects)
      return Promise.resolve()
    },
    withConfiguration: () => {
      throw new Error('no other configuration in this test')
    },
    locked,
    logged,
  }
}

export async function errorOf(act: () => unknown): Promise<StackbkError> {
  try {
    await act()
  } catch (error) {
    if (error instanceof StackbkError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
