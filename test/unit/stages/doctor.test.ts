import { describe, expect, it } from 'vitest'

import { doctor } from '../../../src/stages/doctor.js'
import { at, container, ok, source, stateOf, testRun, write } from './fixtures.js'

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
