import { mkdirSync, readFileSync } from 'node:fs'

import type { Capsule, ContainerMount, Engine, Runtime, Source, StackState } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { keptPathsOf } from '../../../../src/stages/recover/kept-paths.js'
import { planRecoveries, type PlanContext, type RecoveryPlan } from '../../../../src/stages/recover/plan.js'
import { at, container, nobodyWrites, ok, partly, snapshotOf, source, stateOf, testRun, write } from '../fixtures.js'

const bind = (path: string, more: Partial<ContainerMount> = {}): ContainerMount => ({ kind: 'bind', driver: '', name: '', source: path, target: '/x', writable: true, isAnonymous: false, ...more })

interface Host {
  /** What the snapshot of `web` holds outside of its folder. */
  readonly held: readonly string[]
  readonly states?: Readonly<Record<string, StackState>>
  readonly sources?: Readonly<Record<string, readonly Source[]>>
  readonly folders?: readonly string[]
  /** What other stacks of the run hold, by name. */
  readonly others?: Readonly<Record<string, readonly string[]>>
  readonly file?: Buffer
}

/** Plans the recovery of `web`, which has one container. */
async function planned({ held, states = {}, sources = {}, folders = [], others = {}, file = Buffer.from('') }: Host, more: Partial<PlanContext> = {}): Promise<RecoveryPlan> {
  write('dirlist', '')
  write('stacks/web/compose.yaml', 'x')
  const capsuleOf = (name: string): Capsule => ({
    schemaVersion: 1, stack: name, directory: at(`stacks/${name}`), host: 'host', createdAt: '2026-01-01T00:00:00.000Z', condition: 'running', ended: [], engine: { name: 'docker', version: '26', userNamespace: '' }, tools: {}, notes: [],
    projects: [{ name, workingDirectory: at(`stacks/${name}`), configFiles: [], environmentFiles: [], profiles: [], model: null, images: [], volumes: [], networks: [], replicas: { app: 1 }, pausedServices: [], stoppedServices: [] }],
  })
  const capsuleFile = '/state/stackbk-capsule.json'
  const engine = partly<Engine>('engine', {
    location: () => ({ display: at('repository'), path: at('repository') }),
    excludeFilter: () => () => false,
    read: (id, path) => Promise.resolve(ok(path === capsuleFile ? Buffer.from(JSON.stringify(capsuleOf(id))) : file)),
    eachEntry: (_id, onEntry, { below = '' } = {}) => {
      onEntry({ path: below, type: 'directory', bytes: 0, mode: 0o755, uid: 0, gid: 0 } as never)
      return Promise.resolve(ok(undefined))
    },
  })
  const runtime = partly<Runtime>('runtime', {
    inspect: (directories) => Promise.resolve(ok(directories.map((directory) => states[directory] ?? (directory === at('stacks/web') ? stateOf([container('app', { mounts: held.map((path) => bind(path)) })]) : stateOf([], { directory, condition: 'not-found', projects: [] }))))),
    projectFolders: () => Promise.resolve(ok(folders)),
    preflight: () => Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [] })),
    sources: (state) => Promise.resolve(ok(sources[state.directory] ?? [])),
    writersAt: nobodyWrites,
    canRebuild: () => Promise.resolve(ok({ problems: [], losses: [] })),
  })
  const chosen = [{ stack: 'web', snapshot: snapshotOf('web', { paths: [at('stacks/web'), ...held, capsuleFile] }) }, ...Object.entries(others).map(([name, paths]) => ({ stack: name, snapshot: snapshotOf(name, { paths: [at(`stacks/${name}`), ...paths, capsuleFile] }) }))]
  const plans = await planRecoveries(chosen, { run: testRun(), engine, runtime, services: [], allowHostVolumes: false, createExternal: false, overwrite: false, noStart: false, path: undefined, into: undefined, ...more })
  const plan = plans.find(({ name }) => name === 'web')
  if (plan === undefined) throw new Error('there is no plan')
  return plan
}

const codesOf = ({ problems }: RecoveryPlan): readonly string[] => problems.map(({ severity, code }) => `${severity} ${code}`)

function otherStack(name: string, condition: 'running' | 'exited', mounts: readonly ContainerMount[]): Readonly<Record<string, StackState>> {
  write(`stacks/${name}/compose.yaml`, 'x')
  const directory = at(`stacks/${name}`)
  return { [directory]: stateOf([container('app', { id: `${name}-id`, name: `${name}-app-1`, condition, mounts })], { directory }) }
}

describe('a bind mount outside of the folder', () => {
  it.each([['running'], ['exited']] as const)('stays as it is, with a warning, while a container of another stack that is %s writes to it', async (condition) => {
    write('media/a')
    const plan = await planned({ held: [at('media')], states: otherStack('radarr', condition, [bind(at('media'))]) })
    expect([plan.isBlocked, codesOf(plan), plan.held]).toEqual([false, ['warning shared'], [at('stacks/web')]])
    expect(plan.problems[0]).toMatchObject({ message: expect.stringContaining('is used by radarr too'), fix: expect.stringContaining(`recover web --path ${at('media')}`) })
  })

  it('stays as it is if another stack only declares it, or a project that is in no list has it', async () => {
    write('media/a')
    write('stacks/radarr/compose.yaml', 'x')
    const down = stateOf([], { directory: at('stacks/radarr'), condition: 'not-found' })
    const declared = await planned({ held: [at('media')], states: { [at('stacks/radarr')]: down }, sources: { [at('stacks/radarr')]: [source(at('media'), { kind: 'bind' })] } })
    expect([codesOf(declared), declared.held]).toEqual([['warning shared'], [at('stacks/web')]])
    const elsewhere = stateOf([container('x', { id: 'x', name: 'x', mounts: [bind(at('media'))] })], { directory: at('elsewhere') })
    expect(codesOf(await planned({ held: [at('media')], folders: [at('elsewhere')], states: { [at('elsewhere')]: elsewhere } }))).toEqual(['warning shared'])
  })

  it('stays as it is, instead of a refusal, while a container of no stack has it mounted; asked for by its path, it is refused', async () => {
    write('media/a')
    const own = source(at('media'), { kind: 'bind', otherUsers: ['lonely'], usersInside: ['lonely'] })
    const host = { held: [at('media')], sources: { [at('stacks/web')]: [own] } }
    expect(codesOf(await planned(host))).toEqual(['warning shared'])
    expect(codesOf(await planned(host, { path: at('media') }))).toEqual(['error in-use'])
    expect(codesOf(await planned(host, { path: at('stacks/web/compose.yaml') }))).toEqual([])
  })

  it('comes back if it is of this stack alone: others have a folder above mounted, or only read', async () => {
    write('media/a')
    const states = { ...otherStack('files', 'running', [bind(at(''))]), ...otherStack('player', 'running', [bind(at('media'), { writable: false })]) }
    const plan = await planned({ held: [at('media'), at('app.conf')], states })
    expect([codesOf(plan), plan.held]).toEqual([[], [at('stacks/web'), at('media'), at('app.conf')]])
  })

  it('comes back if it is not there or empty and not in use, and stays for the next stack of the run', async () => {
    mkdirSync(at('empty'))
    const plan = await planned({ held: [at('media'), at('empty')], states: otherStack('radarr', 'exited', [bind(at('empty'))]), others: { radarr: [at('media')] } })
    expect([codesOf(plan), plan.held]).toEqual([[], [at('stacks/web'), at('media'), at('empty')]])
    write('media/a')
    const { name, directory, excludes, foreignPaths = [] } = plan
    expect(keptPathsOf(testRun(), null, { name, directory, excludes, foreignPaths }).protectedPaths.get(at('media'))).toBe('shared')
  })

  it('is exchanged around what another stack has mounted within it', async () => {
    write('media/tv/a')
    const plan = await planned({ held: [at('media')], states: otherStack('sonarr', 'running', [bind(at('media/tv'))]) })
    expect([codesOf(plan), plan.held]).toEqual([['warning shared'], [at('stacks/web'), at('media')]])
    expect(plan.foreignPaths).toEqual([{ path: at('media/tv'), reason: 'shared', isUsed: true }])
  })

  it('is left to the stack in whose folder it lies', async () => {
    write('stacks/radarr/compose.yaml', 'x')
    write('stacks/radarr/data/a')
    expect(codesOf(await planned({ held: [at('stacks/radarr/data')] }))).toEqual(['warning shared'])
  })
})

it('a file of the operating system is never replaced, and is named if it differs', async () => {
  const same = await planned({ held: ['/etc/hosts'], file: readFileSync('/etc/hosts') })
  expect([codesOf(same), same.held]).toEqual([[], [at('stacks/web')]])
  const other = await planned({ held: ['/etc/hosts'], file: Buffer.from('127.0.0.1 old-host') })
  expect([codesOf(other), other.held]).toEqual([['warning file-differs'], [at('stacks/web')]])
})

it('data of a service that other stacks use too is named as such when it alone is wanted', async () => {
  write('media/a')
  await expect(planned({ held: [at('media')], states: otherStack('radarr', 'running', [bind(at('media'))]) }, { services: ['app'] })).rejects.toMatchObject({ code: 'nothing-of-service', message: expect.stringContaining('not of this stack alone') })
})
