import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Answer, Engine, Exec, ProviderContext, SettingValues, SnapshotRequest, SnapshotResult } from '@stackbk/contract'
import { restic } from '@stackbk/plugin-restic'
import { createExec } from '@stackbk/tool-runner'
import { onTestFinished, vi } from 'vitest'

import { makeQuickRepository } from '../../../test/fixtures/quick-repository.js'

export interface Bench {
  readonly folder: string
  readonly repository: string
  readonly source: string
  readonly password: string
  readonly settings: SettingValues
  readonly engine: Engine & Required<Pick<Engine, 'retain'>>
}

/** What the core would lend. */
export function contextOf(folder: string, changes: Partial<ProviderContext> = {}): ProviderContext {
  return {
    signal: new AbortController().signal,
    log: () => {},
    exec: createExec(),
    dryRun: false,
    cacheDir: join(folder, 'cache'),
    ...changes,
  }
}

/** Folders, a password file and an engine, all of the running test's own and gone with it. No repository yet. */
export async function bench(
  changes: { readonly settings?: SettingValues; readonly exec?: Exec; readonly dryRun?: boolean } = {},
): Promise<Bench> {
  const folder = freshFolder()
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  // Nothing of the user's own cache is touched, and none of another test's.
  vi.stubEnv('RESTIC_CACHE_DIR', join(folder, 'restic-cache'))
  const made = benchIn(folder)
  const settings = { ...made.settings, ...changes.settings }
  const { exec, dryRun } = changes
  const engine = (await restic.create(
    settings,
    contextOf(folder, { ...(exec === undefined ? {} : { exec }), ...(dryRun === undefined ? {} : { dryRun }) }),
  )) as Bench['engine']
  onTestFinished(() => engine.close())
  return { ...made, settings, engine }
}

/** The same with a repository, one that opens at once. */
export async function benchWithRepository(changes: Parameters<typeof bench>[0] = {}): Promise<Bench> {
  const made = await bench(changes)
  makeQuickRepository(made.repository, made.password)
  return made
}

export function freshFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'restic-test-')))
}

export function benchIn(folder: string): Omit<Bench, 'engine'> {
  const [source, repository, passwordFile] = [join(folder, 'source'), join(folder, 'repository'), join(folder, 'password')]
  const password = 'correct-horse-battery'
  mkdirSync(source)
  writeFileSync(passwordFile, password, { mode: 0o600 })
  const settings = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD_FILE: passwordFile,
    RESTIC_PASSWORD_COMMAND: null,
    RESTIC_PASSWORD: null,
  }
  return { folder, repository, source, password, settings }
}

/** The engine under other settings. */
export function engineWith({ folder, settings }: Bench, changes: SettingValues, context: Partial<ProviderContext> = {}): Promise<Bench['engine']> {
  return (restic.create({ ...settings, ...changes }, contextOf(folder, context))) as Promise<Bench['engine']>
}

export function requestOf({ source }: Pick<Bench, 'source'>, changes: Partial<SnapshotRequest> = {}): SnapshotRequest {
  return { paths: [source], tags: ['stackbk', 'stack:web'], host: 'host-a', parent: null, excludes: [], ...changes }
}

export async function snapshot(engine: Engine, request: SnapshotRequest): Promise<SnapshotResult> {
  const prepared = engine.prepare(request)
  value(await prepared.ready)
  return value(await prepared.take())
}

export function value<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value
  throw new Error(`${answer.failure.kind}: ${answer.failure.message}\n${answer.failure.toolOutput ?? ''}`)
}

export function kind(answer: Answer<unknown>): string {
  return answer.ok ? 'no failure' : answer.failure.kind
}
