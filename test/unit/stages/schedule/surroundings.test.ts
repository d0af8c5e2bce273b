import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { surroundingsOf } from '../../../../src/stages/schedule/surroundings.js'
import { ownHome } from '../../../../src/host/data-folder.js'
import { at, testRun } from '../fixtures.js'

const nobody = 65534

describe.skipIf(process.getuid?.() !== 0)('the surroundings of a schedule of root', () => {
  it.each(['system', 'user'] as const)('have nothing that another user can change (%s), as a shell of his leaves it behind', (scope) => {
    for (const folder of ['theirs', 'theirs/bin', 'theirs/docker']) {
      mkdirSync(at(folder), { recursive: true })
      chownSync(at(folder), nobody, nobody)
    }
    const environment = { HOME: at('theirs'), PATH: `${at('theirs/bin')}:/usr/bin`, DOCKER_CONFIG: at('theirs/docker'), NO_PROXY: 'localhost' }
    const of = (isRoots: boolean): ReturnType<typeof surroundingsOf> => surroundingsOf({ configuration: { ...testRun().configuration, file: at('config.ini'), resolved: () => [] }, environment, scope, isRoots, program: ['/usr/bin/node', join(at('theirs'), 'stackbk')], dataFolder: '/root/.local/share/stackbk' })
    expect(of(true)).toMatchObject({ variables: { HOME: ownHome(), NO_PROXY: 'localhost' }, problems: [{ code: 'environment-left-out', message: expect.stringContaining('DOCKER_CONFIG') as string }, { code: 'program-not-trusted' }] })
    expect(JSON.stringify(of(true).variables)).not.toContain('theirs')
    expect(of(false).variables).toMatchObject({ PATH: expect.stringContaining(at('theirs/bin')) as string, DOCKER_CONFIG: at('theirs/docker') })
  })
})
