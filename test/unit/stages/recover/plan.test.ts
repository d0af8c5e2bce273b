import { mkdirSync } from 'node:fs'

import type { Capsule, Engine, RebuildProblem, RebuildQuestion, Runtime } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { planRecoveries, type PlanContext, type RecoveryPlan } from '../../../../src/stages/recover/plan.js'
import { at, failure, nobodyWrites, ok, partly, snapshotOf, stateOf, testRun, write } from '../fixtures.js'

/** A stack of the old host, whose compose files and model are these. */
interface Old {
  readonly name: string
  readonly directory: string
  readonly model?: unknown
  readonly text?: string
  /** What else the snapshot holds. */
  readonly outside?: readonly string[]
  /** Networks by their names, and whether another stack makes them. */
  readonly networks?: Readonly<Record<string, boolean>>
}

/** The plans for stacks of another host, and what the runtime was asked about each. */
async function plansOf(stacks: readonly Old[], more: Partial<PlanContext> & { readonly problems?: readonly RebuildProblem[] } = {}): Promise<{ readonly plans: readonly RecoveryPlan[]; readonly asked: ReadonlyMap<string, RebuildQuestion> }> {
  mkdirSync(at('stacks'), { recursive: true })
  write('dirlist', '')
  const asked = new Map<string, RebuildQuestion>()
  const capsuleFile = (name: string): string => `/state/capsules/${name}/stackbk-capsule.json`
  const capsuleOf = ({ name, directory, model = null, networks = {} }: Old): Capsule => ({
    schemaVersion: 1, stack: name, directory, stacksDirectory: '/opt/old', host: 'host', createdAt: '2026-01-01T00:00:00.000Z', condition: 'running', ended: [], engine: { name: 'docker', version: '26', userNamespace: '' }, tools: {}, notes: [],
    projects: ([{ name, workingDirectory: directory, configFiles: [`${directory}/compose.yaml`], environmentFiles: [], profiles: [], model, images: [], volumes: [], networks: Object.entries(networks).map(([network, isExternal]) => ({ name: network, isExternal })), replicas: { app: 1 }, pausedServices: [], stoppedServices: [] }] as unknown) as Capsule['projects'],
  })
  const engine = partly<Engine>('engine', {
    location: () => ({ display: at('repository'), path: at('repository') }),
    excludeFilter: () => () => false,
    read: (id, path) => {
      const old = stacks.find(({ name }) => name === id)
      if (old !== undefined && path === capsuleFile(old.name)) return Promise.resolve(ok(Buffer.from(JSON.stringify(capsuleOf(old)))))
      return Promise.resolve(old?.text !== undefined && path === `${old.directory}/compose.yaml` ? ok(Buffer.from(old.text)) : failure('not-found'))
    },
  })
  const runtime = partly<Runtime>('runtime', {
    inspect: (directories) => Promise.resolve(ok(directories.map((directory) => stateOf([], { directory, condition: 'not-found', projects: [] })))),
    projectFolders: () => Promise.resolve(ok([])),
    writersAt: nobodyWrites,
    canRebuild: (capsule, question) => {
      asked.set(capsule.stack, question)
      return Promise.resolve(ok({ problems: more.problems ?? [], losses: [] }))
    },
  })
  const chosen = stacks.map((old) => ({ stack: old.name, snapshot: snapshotOf(old.name, { paths: [old.directory, ...(old.outside ?? []), capsuleFile(old.name)], tags: [`stack:${old.name}`] }) }))
  const plans = await planRecoveries(chosen, { run: testRun(), engine, runtime, services: [], allowHostVolumes: false, createExternal: false, overwrite: false, noStart: false, path: undefined, into: undefined, ...more })
  return { plans, asked }
}

describe('stacks of another host', () => {
  const web: Old = { name: 'web', directory: '/opt/old/web', model: { services: { app: { volumes: [{ type: 'bind', source: '/opt/old/db/data', target: '/d' }] } } }, text: 'x: /opt/old/db/data\n' }
  const db: Old = { name: 'db', directory: '/opt/old/db', text: 'x: ./data\n' }

  it('come to the new folder, one whose folder another one mounts first, and each knows where the others are', async () => {
    const { plans, asked } = await plansOf([web, db], { into: at('new') })
    expect(plans.map(({ name, directory, origin, isBlocked }) => [name, directory, origin, isBlocked])).toEqual([['db', at('new/db'), db.directory, false], ['web', at('new/web'), web.directory, false]])
    expect(asked.get('web')).toMatchObject({ directory: at('new/web'), restoredPaths: [at('new/web'), at('new/db')], moved: [{ from: web.directory, to: at('new/web') }, { from: db.directory, to: at('new/db') }] })
    expect(asked.get('db')?.restoredPaths).toEqual([at('new/db')])
    expect(plans.map(({ problems }) => problems.map(({ code }) => code))).toEqual([[], ['old-path']])
    expect(plans[0]?.shares[0]?.folder).toMatchObject({ path: expect.stringContaining(at('.stackbk-recover-')), paths: [db.directory] })
  })

  it('come to the configured stacks folder without a flag, and say that they do', async () => {
    const { plans } = await plansOf([db, { name: 'deep', directory: '/opt/old/group/deep' }])
    expect(plans.map(({ directory, problems }) => [directory, problems.map(({ code }) => code)])).toEqual([[at('stacks/db'), ['other-folder']], ['/opt/old/group/deep', []]])
  })

  it('have what lies outside of their folders named, since it goes back to its own path, unless it moves with another stack', async () => {
    const { plans } = await plansOf([{ ...web, outside: ['/opt/old/db/data', '/srv/films'] }, db], { into: at('new') })
    expect(plans.find(({ name }) => name === 'web')?.problems.filter(({ code }) => code === 'own-path')).toMatchObject([{ severity: 'warning', message: '/srv/films of web lies outside of its folder, and goes back to the same path as before' }])
    expect((await plansOf([{ ...web, outside: ['/srv/films'] }], { into: '/opt/old' })).plans[0]?.problems).toEqual([])
  })

  it('are all refused if their folders have the same name', async () => {
    const { plans, asked } = await plansOf([{ name: 'one', directory: '/opt/one/docker' }, { name: 'two', directory: '/opt/two/docker' }, db], { into: at('new') })
    expect(plans.map(({ name, isBlocked, problems }) => [name, isBlocked, problems.map(({ code }) => code)])).toEqual([['one', true, ['folder-taken']], ['two', true, ['folder-taken']], ['db', false, []]])
    expect([...asked.keys()]).toEqual(['db'])
  })

  it('say how an external network or volume is made that is not here, by flag and by hand', async () => {
    const problem = (code: RebuildProblem['code'], fix: string): RebuildProblem => ({ severity: 'error', code, message: `${code} x`, fix })
    const { plans } = await plansOf([db], { into: at('new'), problems: [problem('missing-network', 'docker network create x'), problem('missing-volume', 'docker volume create x'), { ...problem('missing-volume', ''), severity: 'warning' }] })
    expect(plans[0]?.problems.map(({ fix }) => fix)).toEqual(['Add --create-external, which makes it as it was. Without it: docker network create x', 'Add --create-external, which makes it as it was. Without it: docker volume create x', ''])
  })

  it('need no network that another stack of the run brings back, and each that only has a name like it', async () => {
    const missing = (name: string): RebuildProblem => ({ severity: 'error', code: 'missing-network', message: `The external network ${name} is not here`, fix: `docker network create ${name}`, name })
    const { plans } = await plansOf([{ ...db, networks: { proxy: false, net: false } }, { ...web, networks: { proxy: true, proxy_public: true } }], { into: at('new'), problems: [missing('proxy'), missing('proxy_public')] })
    expect(plans.find(({ name }) => name === 'web')?.problems.filter(({ code }) => code === 'missing-network').map(({ message }) => message)).toEqual(['The external network proxy_public is not here'])
  })
})
