import { describe, expect, it } from 'vitest'

import { doctor } from '../../../src/stages/doctor.js'
import { missingRemote } from '../../../src/stages/missing-remote.js'
import { StackbkError } from '../../../src/errors.js'
import { rememberRepository } from '../../../src/stages/repository-memory.js'
import { KnownRemotes } from '../../../src/stages/sync/known-remotes.js'
import { at, container, failure, ok, source, stateOf, testRun, write } from './fixtures.js'

describe('a doctor who looks at mounts', () => {
  const mount = (kind: 'volume' | 'bind', path: string): object => ({ kind, name: kind === 'volume' ? 'data' : '', source: path, target: '/data', writable: true, isAnonymous: false, driver: kind === 'volume' ? 'local' : '' })

  async function checksWith(path: string, kind: 'volume' | 'bind' = 'volume'): Promise<{ asked: number; checks: readonly string[] }> {
    write('stacks/web/compose.yaml', 'services: {}')
    write('dirlist', 'web=true\n')
    let asked = 0
    const state = stateOf([container('app', { mounts: [mount(kind, path)] as never })])
    const run = testRun({
      runtime: {
        examine: () => Promise.resolve([]),
        inspect: () => Promise.resolve(ok([state])),
        sources: () => {
          asked++
          return Promise.resolve(ok([source(at('stacks/web')), source(path, { kind: 'named-volume', volume: 'data', canBeRead: false, whyNot: 'it is not on this host: the engine (Some VM) keeps its data elsewhere', isNotOnHost: true })]))
        },
      },
    })
    const { docker } = run.configuration
    const listed = { ...run, configuration: { ...run.configuration, docker: { ...docker, dirlist: at('dirlist') } } } as typeof run
    const { result } = await doctor(listed, { usable: [], unusable: [], plugins: [] }, [], at('data'))
    return { asked, checks: result.checks.filter(({ id }) => id.startsWith('stacks.web')).map(({ id, status, found }) => `${id} ${status} ${found}`) }
  }

  it('names a volume that only the engine has, for each stack', async () => {
    expect(await checksWith('/nonexistent/volumes/data/_data')).toEqual({ asked: 1, checks: [expect.stringMatching(/^stacks\.web\.mounts failed the volume data .*Some VM/)] })
    expect((await checksWith('/nonexistent/bind', 'bind')).asked).toBe(1)
  })

  it('asks for no sources where all mounts are here', async () => {
    write('volumes/data/_data/x', '')
    expect(await checksWith(at('volumes/data/_data'))).toEqual({ asked: 0, checks: [] })
  })
})

describe('a doctor who examines providers', () => {
  const fine = { examine: () => Promise.resolve([{ id: 'tool', status: 'ok', found: 'there', needed: '', fix: '' }]), traits: () => Promise.resolve(failure()), probe: () => Promise.resolve(ok(undefined)) }

  async function transportChecks(ready: () => unknown, more: object = {}): Promise<{ exitCode: number; checks: readonly string[] }> {
    const run = testRun({ transport: { ...fine, location: 'cloud:', ready, ...more } as never })
    const { result, exitCode } = await doctor(run, { usable: [], unusable: [], plugins: [] }, [], at('data'))
    return { exitCode, checks: result.checks.filter(({ id }) => id.startsWith('transport') || id === 'tool').map(({ id, status, found, fix }) => `${id} ${status} ${found} | ${fix}`) }
  }

  it('shows nothing more of one that is ready', async () => {
    expect((await transportChecks(() => Promise.resolve(ok(undefined)))).checks).toEqual(['tool ok there | '])
  })

  it('asks whether the remote answers where the examination does not say it', async () => {
    const connection = async (more: object): Promise<readonly string[]> => {
      const run = testRun({ transport: { ...fine, location: 'cloud:', ready: () => Promise.resolve(ok(undefined)), ...more } as never })
      const { result } = await doctor(run, { usable: [], unusable: [], plugins: [] }, [], at('data'))
      return result.checks.filter(({ id }) => id.endsWith('.connection')).map(({ id, status, found, fix }) => `${id} ${status} ${found} | ${fix}`)
    }
    expect(await connection({})).toEqual(['remote.connection ok reached | '])
    expect(await connection({ probe: () => Promise.resolve(failure('remote-unreachable', { message: 'nobody is there', fix: 'Start it' })) })).toEqual(['remote.connection failed nobody is there | Start it'])
    const examine = (): Promise<object[]> => Promise.resolve([{ id: 'their.connection', status: 'ok', found: 'reached', needed: '', fix: '' }])
    expect(await connection({ examine, probe: () => Promise.reject(new Error('it was asked twice')) })).toEqual(['their.connection ok reached | '])
  })

  it('asks for no remote where the engine has no copy by file', async () => {
    const run = testRun({ engine: { layout: undefined, location: () => ({ display: '', path: null }), examine: () => Promise.resolve([]) } as never, transport: { ...fine, location: '' } as never })
    const { result } = await doctor(run, { usable: [], unusable: [], plugins: [] }, [], at('data'))
    expect(result.checks.filter(({ id }) => id === 'remote')).toMatchObject([{ status: 'ok', found: expect.stringMatching(/^not used: .*engine/) as string }])
  })

  it('finds one that refuses every command although it examines well', async () => {
    expect((await transportChecks(() => Promise.resolve(failure('tool-too-old', { message: 'it is too old', fix: 'Update it' })))).checks).toEqual(['tool ok there | ', 'transport.ready failed it is too old | Update it'])
  })

  it('finds one whose ready() returns something else than an answer, or throws', async () => {
    expect((await transportChecks(() => Promise.resolve(true))).checks[1]).toContain('transport.ready failed ready() returned something that is not an Answer')
    expect((await transportChecks(() => Promise.reject(new StackbkError({ kind: 'configuration', message: 'it failed unexpectedly in ready()', detail: 'oops', fix: 'Report it' })))).checks[1]).toBe('transport failed it failed unexpectedly in ready(): oops | Report it')
  })

  it('does not ask one that has already failed, and one without a remote', async () => {
    const asked: string[] = []
    const ready = (): unknown => (asked.push('ready'), Promise.resolve(ok(undefined)))
    await transportChecks(ready, { examine: () => Promise.resolve([{ id: 'tool', status: 'failed', found: 'missing', needed: '', fix: '' }]) })
    await transportChecks(ready, { location: '' })
    expect(asked).toEqual([])
  })

  it('gives the reason of one that cannot be set up, and does not send the user to doctor', async () => {
    const run = { ...testRun(), transport: () => Promise.reject(new StackbkError({ kind: 'configuration', message: 'the transport "x" of p could not be set up', detail: 'its create() gave a transport without ready()', fix: 'Update the plugin; see: stackbk plugins' })) }
    const { result } = await doctor(run, { usable: [], unusable: [], plugins: [] }, [], at('data'))
    expect(result.checks.find(({ id }) => id === 'transport')).toMatchObject({ found: 'the transport "x" of p could not be set up: its create() gave a transport without ready()', fix: expect.not.stringContaining('doctor') as string })
  })
})

describe('a doctor who looks at the copies', () => {
  async function checks(location: string, isCopied = false): Promise<readonly string[]> {
    write('stacks/web/compose.yaml', 'services: {}')
    write('dirlist', 'web=true\n')
    write('repository/config', '')
    const run = testRun({
      runtime: { examine: () => Promise.resolve([]), inspect: () => Promise.resolve(ok([])) },
      engine: { location: () => ({ display: at('repository'), path: at('repository') }), examine: () => Promise.resolve([]), open: () => Promise.resolve(ok({ id: 'id', location: at('repository'), path: at('repository') })) },
      transport: { location, examine: () => Promise.resolve([]), traits: () => Promise.resolve(failure('failed')) },
    })
    const { docker } = run.configuration
    if (isCopied) {
      rememberRepository(run.state.repositories, at('repository'), { id: 'id', location: at('repository'), path: at('repository') })
      new KnownRemotes(run.state.repositories, 'id', at('repository')).record({ remote: location, at: new Date().toISOString(), snapshots: 1 })
    }
    const changed = { ...run, configuration: { ...run.configuration, exists: true, docker: { ...docker, dirlist: at('dirlist'), stacksDirectory: at('stacks') } } } as typeof run
    const rclone = { plugin: 'p', origin: 'bundled', ownId: 'rclone', descriptor: { kind: 'transport', id: 'rclone', title: 't', settings: [{ section: 'cloud_sync', key: 'RCLONE_REMOTE', type: 'string', required: true, help: '' }] } }
    const { result } = await doctor(changed, { usable: [rclone] as never, unusable: [], plugins: [] }, [], at('data'))
    return result.checks.filter(({ id }) => id === 'repository.disk' || id === 'remote').map(({ id, status, fix }) => `${id} ${status} ${fix}`)
  }

  it('names the line and the file where no remote is configured, and warns of a repository on the disk of the stacks', async () => {
    const found = await checks('')
    expect(found).toContainEqual(expect.stringMatching(/^repository\.disk warning Move the repository/))
    expect(found).toContainEqual(expect.stringMatching(/^remote warning .*add the line RCLONE_REMOTE=\.\.\. below \[cloud_sync\] in .*config\.ini$/))
  })

  it('names the keys of the transport that is configured', async () => {
    const shelf = { plugin: 'p', origin: 'linked', ownId: 'shelf', descriptor: { kind: 'transport', id: 'shelf', title: 't', settings: [{ section: 'plugin:shelf', key: 'FOLDER', type: 'path', required: true, help: '' }] } }
    expect(missingRemote({ file: '/etc/x.ini', exists: true, format: 'sections', cloud: { provider: 'shelf' } as never }, { usable: [shelf] as never, unusable: [], plugins: [] })).toMatchObject({ needed: 'FOLDER, for sync and restore', fix: 'To have a copy in the cloud, add the line FOLDER=... below [plugin:shelf] in /etc/x.ini' })
  })

  it('warns also while nothing was copied to the remote yet, and no longer after that', async () => {
    expect(await checks('cloud:')).toEqual([expect.stringMatching(/^repository\.disk warning Run: stackbk sync/)])
    expect(await checks('cloud:', true)).toEqual([])
  })
})

describe('a doctor who looks at the place of the repository', () => {
  it('names another one than the one that was used there', async () => {
    const found = async (id: string): Promise<readonly unknown[]> => {
      const run = testRun({ engine: { location: () => ({ display: 'place', path: null }), examine: () => Promise.resolve([]), ready: () => Promise.resolve(ok(undefined)), open: () => Promise.resolve(ok({ id, location: 'place', path: null })) } })
      rememberRepository(run.state.repositories, 'place', { id: 'one', location: 'place', path: null })
      return (await doctor(run, { usable: [], unusable: [], plugins: [] }, [], at('data'))).result.checks.filter(({ id: check }) => check === 'repository.place')
    }
    expect(await found('one')).toEqual([])
    expect(await found('two')).toMatchObject([{ status: 'failed', found: expect.stringContaining('another repository') as string, fix: expect.stringContaining('--accept-repository') as string }])
  })
})
