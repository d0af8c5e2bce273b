import { mkdirSync } from 'node:fs'

import type { Capsule, CapsuleVolume, Engine, PlaceInQuestion, Runtime, Source, StackState } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { planRecoveries, type PlanContext, type RecoveryPlan } from '../../../../src/stages/recover/plan.js'
import { at, container, failure, nobodyWrites, ok, partly, snapshotOf, source, stateOf, testRun, write } from '../fixtures.js'

/** A container that runs and is not of the stack, and the paths and volumes that it can write to. */
interface Stranger {
  readonly name: string
  readonly inside?: readonly string[]
  /** It has a folder above this one mounted. */
  readonly above?: readonly string[]
  /** It has these mounted and only reads them. */
  readonly reads?: readonly string[]
}

interface Host {
  readonly strangers?: readonly Stranger[]
  readonly volumes?: readonly Partial<CapsuleVolume>[]
  /** What else the snapshot of `web` holds outside of its folder. */
  readonly outside?: readonly string[]
  /** Where volumes are now if not where they were, by name. */
  readonly moved?: Readonly<Record<string, string>>
  readonly state?: StackState
  readonly sources?: readonly Source[]
  readonly dryRun?: boolean
  readonly runtime?: Partial<Runtime>
}

interface Planned {
  readonly plan: RecoveryPlan
  readonly asked: readonly PlaceInQuestion[]
  readonly except: readonly string[]
}

const dataOf = (name: string): string => at(`volumes/${name}/_data`)

/** Plans the recovery of `web`, which has been taken down unless a state says otherwise. */
async function planned({ strangers = [], volumes = [], outside = [], moved = {}, state, sources = [], dryRun = false, runtime: more = {} }: Host, choices: Partial<PlanContext> = {}): Promise<Planned> {
  write('dirlist', '')
  write('stacks/web/compose.yaml', 'x')
  const recorded = volumes.map((volume): CapsuleVolume => ({ name: 'media', key: 'media', driver: 'local', options: {}, labels: {}, isExternal: false, isAnonymous: false, path: dataOf(volume.name ?? 'media'), service: '', containerNumber: 0, target: '/media', ...volume }))
  const capsule: Capsule = {
    schemaVersion: 1, stack: 'web', directory: at('stacks/web'), host: 'host', createdAt: '2026-01-01T00:00:00.000Z', condition: 'running', ended: [], engine: { name: 'docker', version: '26', userNamespace: '' }, tools: {}, notes: [],
    projects: [{ name: 'web', workingDirectory: at('stacks/web'), configFiles: [], environmentFiles: [], profiles: [], model: null, images: [], volumes: recorded, networks: [], replicas: { app: 1 }, pausedServices: [], stoppedServices: [] }],
  }
  const engine = partly<Engine>('engine', {
    location: () => ({ display: at('repository'), path: at('repository') }),
    excludeFilter: () => () => false,
    read: (_id, path) => Promise.resolve(path.endsWith('stackbk-capsule.json') ? ok(Buffer.from(JSON.stringify(capsule))) : failure('not-found')),
    eachEntry: (_id, onEntry, { below = '' } = {}) => {
      onEntry({ path: below, type: 'directory', bytes: 0, mode: 0o755, uid: 0, gid: 0 } as never)
      return Promise.resolve(ok(undefined))
    },
  })
  const asked: PlaceInQuestion[] = []
  const except: string[] = []
  const runtime = partly<Runtime>('runtime', {
    inspect: (directories) => Promise.resolve(ok(directories.map((directory) => (directory === at('stacks/web') && state !== undefined ? state : stateOf([], { directory, condition: 'not-found' }))))),
    projectFolders: () => Promise.resolve(ok([])),
    preflight: () => Promise.resolve(ok({ model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [] })),
    canRebuild: () => Promise.resolve(ok({ problems: [], losses: [] })),
    sources: () => Promise.resolve(ok(sources)),
    writersAt: (places, request) => {
      asked.push(...places)
      except.push(...request.except)
      return Promise.resolve(ok(places.map(({ path, volume }) => {
        const name = volume === '' ? path : volume
        const usersInside = strangers.filter(({ inside = [] }) => inside.includes(name)).map((one) => one.name)
        const above = strangers.filter((one) => one.above?.includes(name) === true).map((one) => one.name)
        const place = volume === '' ? path : (moved[volume] ?? dataOf(volume))
        const readersInside = strangers.filter(({ reads = [] }) => reads.includes(name)).map((one) => ({ name: one.name, paths: [place] }))
        return { path: place, volume, otherUsers: [...usersInside, ...above], usersInside, readersInside, possibleWriters: [] }
      })))
    },
    ...more,
  })
  const held = recorded.filter(({ path }) => !path.startsWith(at('stacks/web'))).map(({ path }) => path)
  const snapshot = snapshotOf('web', { paths: [at('stacks/web'), ...outside, ...held, '/state/stackbk-capsule.json'] })
  const plans = await planRecoveries([{ stack: 'web', snapshot }], { run: testRun({ dryRun }), engine, runtime, services: [], allowHostVolumes: false, createExternal: false, overwrite: false, noStart: false, path: undefined, into: undefined, ...choices })
  return { plan: plans[0]!, asked, except }
}

const codesOf = ({ plan }: Planned): readonly string[] => plan.problems.map(({ severity, code }) => `${severity} ${code}`)
const running = (): StackState => stateOf([container('app')])

describe('a stack without containers', () => {
  it('is refused while another container writes to its volume, also with --overwrite', async () => {
    const host = { volumes: [{}], strangers: [{ name: 'jellyfin', inside: ['media'] }] }
    const found = await planned(host)
    expect([codesOf(found), found.plan.isBlocked]).toEqual([['error in-use'], true])
    expect(found.plan.problems[0]).toMatchObject({ message: `${dataOf('media')} is used by jellyfin too, which is not of this stack`, fix: 'Stop that first, then run it again' })
    expect(codesOf(await planned(host, { overwrite: true }))).toEqual(['error in-use'])
    expect(codesOf(await planned({ volumes: [{}] }))).toEqual([])
  })

  it('is refused while another container writes to its folder, or into it; one that has a folder above mounted is named', async () => {
    expect(codesOf(await planned({ strangers: [{ name: 'editor', inside: [at('stacks/web')] }] }))).toEqual(['error in-use'])
    expect(codesOf(await planned({ strangers: [{ name: 'manager', above: [at('stacks/web')] }] }))).toEqual(['warning mounted-elsewhere'])
  })

  it('is refused also if the volume lies elsewhere now, or in the folder of the stack', async () => {
    const host = { volumes: [{}], strangers: [{ name: 'jellyfin', inside: ['media'] }] }
    expect(codesOf(await planned({ ...host, moved: { media: at('other-root/media/_data') } }))).toEqual(['error in-use'])
    expect(codesOf(await planned({ ...host, volumes: [{ path: at('stacks/web/media') }] }))).toEqual(['error in-use'])
  })

  it('leaves alone what a container of no stack writes to outside of its folder, as with containers', async () => {
    write('media/a')
    const host = { outside: [at('media')], strangers: [{ name: 'lonely', inside: [at('media')] }] }
    const found = await planned(host)
    expect([codesOf(found), found.plan.held]).toEqual([['warning shared'], [at('stacks/web')]])
    expect(codesOf(await planned(host, { path: at('media') }))).toEqual(['error in-use'])
  })

  it('is not refused because of what stays: an external volume that holds data; asked for by its path, or empty and about to be filled, it is', async () => {
    write('volumes/media/_data/film')
    const host = { volumes: [{ isExternal: true }], strangers: [{ name: 'arr', inside: ['media', dataOf('media')] }] }
    expect(codesOf(await planned(host))).toEqual([])
    expect(codesOf(await planned(host, { path: dataOf('media') }))).toEqual(['error in-use'])
    mkdirSync(dataOf('empty'), { recursive: true })
    const empty = { volumes: [{ name: 'empty', isExternal: true }], strangers: [{ name: 'arr', inside: ['empty'] }] }
    expect(codesOf(await planned(empty))).toEqual(['error in-use'])
    expect(codesOf(await planned(empty, { overwrite: true }))).toEqual([])
  })

  it('is not refused because of another place than the path that was asked for', async () => {
    const host = { volumes: [{}, { name: 'other', key: 'other' }], strangers: [{ name: 'jellyfin', inside: ['media', dataOf('media')] }] }
    expect(codesOf(await planned(host, { path: dataOf('other') }))).toEqual([])
    expect(codesOf(await planned(host, { path: dataOf('media') }))).toEqual(['error in-use'])
  })

  it('asks about no anonymous volume, which is made anew, but by its path', async () => {
    const host = { volumes: [{ name: 'abc', isAnonymous: true }] }
    expect((await planned(host)).asked).toEqual([{ path: at('stacks/web'), volume: '' }])
    expect((await planned(host, { path: dataOf('abc') })).asked).toEqual([{ path: at('stacks/web'), volume: '' }, { path: dataOf('abc'), volume: '' }])
  })

  it('is refused if the runtime cannot tell now; one that never can is asked for the sources', async () => {
    expect((await planned({ runtime: { writersAt: () => Promise.resolve(failure()) } })).plan).toMatchObject({ isBlocked: true, problems: [{ severity: 'error', stack: 'web' }] })
    const used = source(dataOf('media'), { kind: 'named-volume', volume: 'media', otherUsers: ['jellyfin'], usersInside: ['jellyfin'] })
    expect(codesOf(await planned({ volumes: [{}], sources: [used], runtime: { writersAt: undefined } as never }))).toEqual(['error in-use'])
  })
})

it('a stack that runs is refused while another container writes to a volume that only the snapshot still knows; its own containers do not count', async () => {
  const found = await planned({ state: running(), sources: [source(at('stacks/web'))], volumes: [{}], strangers: [{ name: 'jellyfin', inside: ['media'] }] })
  expect([codesOf(found), found.asked, found.except]).toEqual([['error in-use'], [{ path: '', volume: 'media' }], ['app-id']])
  const known = await planned({ state: running(), sources: [source(at('stacks/web')), source(dataOf('media'), { kind: 'named-volume', volume: 'media' })], volumes: [{}], runtime: { writersAt: nobodyWrites } })
  expect(codesOf(known)).toEqual([])
})

describe('a container of elsewhere that only reads', () => {
  it('is in nobody\'s way; who it is goes into the plan, and a preview names it with what to do', async () => {
    const host = { volumes: [{}], strangers: [{ name: 'my reader', reads: ['media', at('stacks/web')] }] }
    const { plan } = await planned(host)
    expect([plan.problems, plan.isBlocked, plan.readers]).toEqual([[], false, [{ name: 'my reader', paths: [dataOf('media'), at('stacks/web')] }]])
    const preview = await planned({ ...host, dryRun: true })
    expect(codesOf(preview)).toEqual(['warning needs-restart'])
    expect(preview.plan.problems[0]).toMatchObject({ message: expect.stringContaining(`my reader, which is not of this stack, has ${dataOf('media')}, ${at('stacks/web')} mounted`), fix: "After the recovery, run: docker restart 'my reader'" })
    expect(codesOf(await planned({ ...host, dryRun: true }, { overwrite: true }))).toEqual([])
  })

  it('is of no interest where what it reads stays', async () => {
    write('volumes/media/_data/film')
    expect((await planned({ volumes: [{ isExternal: true }], strangers: [{ name: 'reader', reads: ['media'] }] })).plan.readers).toBeUndefined()
    expect((await planned({ strangers: [] })).plan.readers).toBeUndefined()
  })

  it('is known of a stack that runs by its sources too', async () => {
    const sources = [source(at('stacks/web'), { readersInside: [{ name: 'reader', paths: [at('stacks/web/data')] }] })]
    expect((await planned({ state: running(), sources })).plan.readers).toEqual([{ name: 'reader', paths: [at('stacks/web/data')] }])
  })
})
