import type { Engine, RepositoryLayout, Transport } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { restore } from '../../../../src/stages/restore.js'
import { at, errorOf, ok, testRun, write } from '../fixtures.js'
import { layout, nameOf } from '../sync/layout.js'

const files = ['config', ...['keys', 'data', 'index', 'snapshots'].map((folder) => `${folder}/${nameOf('kept')}`)]

/** A restore with an engine that is not restic. */
function restoreTo(path: string, { of = layout, commands = {} }: { of?: RepositoryLayout | undefined; commands?: ReturnType<NonNullable<Engine['toolCommands']>> } = {}): ReturnType<typeof restore> {
  const engine: Partial<Engine> = {
    location: () => ({ display: at('configured'), path: at('configured') }),
    layout: () => of,
    toolCommands: () => commands,
    at: () => engine as Engine,
    ready: () => Promise.resolve(ok(undefined)),
    completeCopy: () => Promise.resolve(ok(undefined)),
    open: () => Promise.resolve(ok({ id: 'repo', location: 'place', path: null })),
    snapshots: () => Promise.resolve(ok([])),
    check: () => Promise.resolve(ok({ isSound: true, errors: [] })),
  }
  const transport: Partial<Transport> = {
    location: 'remote:',
    ready: () => Promise.resolve(ok(undefined)),
    probe: () => Promise.resolve(ok(undefined)),
    list: () => Promise.resolve(ok(files.map((file) => ({ path: file, size: file === 'config' ? 6 : 4, modifiedAt: null })))),
    download: ({ files: wanted, localRoot }) => {
      for (const file of wanted) write(`${localRoot.slice(at('').length)}/${file}`, file === 'config' ? 'config' : 'kept')
      return Promise.resolve(ok({ files: wanted.length, bytes: 0 }))
    },
  }
  return restore(testRun({ engine, transport }), { path: at(path), readData: false })
}

describe('the next steps of a restore', () => {
  it('have the commands of the engine and its keys', async () => {
    const { result } = await restoreTo('elsewhere', { commands: { list: 'borg list /place', check: 'borg check /place' } })
    expect(result.nextSteps.join('\n')).toContain('See what is in it: borg list /place')
    expect(result.nextSteps.join('\n')).toContain('set the repository of the engine "restic" to')
  })

  it('name no tool where the engine knows no commands', async () => {
    const { result, exitCode } = await restoreTo('elsewhere')
    expect(exitCode).toBe(0)
    expect(result.nextSteps.join('\n')).not.toMatch(/restic -r|RESTIC_|borg/)
  })
})

describe('a copy that can only be read', () => {
  const readOnly = { ...layout, copiesAreReadOnly: true }

  it('does not take the place of the repository, since the next backup would write to it', async () => {
    expect(await errorOf(() => restoreTo('configured', { of: readOnly }))).toMatchObject({ kind: 'usage', code: 'copy-read-only' })
  })

  it('is restored to another folder, and not offered as the repository', async () => {
    const { result, exitCode } = await restoreTo('elsewhere', { of: readOnly })
    expect(exitCode).toBe(0)
    expect(result.nextSteps).toContain('Only read from it: backups need a new repository')
    expect(result.nextSteps.join('\n')).not.toContain('To go on with it')
  })
})

describe('a copy without keys', () => {
  it('is a repository for an engine that has no key files', async () => {
    const keyless = { ...layout, groups: layout.groups.filter(({ role }) => role !== 'key') }
    expect((await restoreTo('elsewhere', { of: keyless })).exitCode).toBe(0)
  })
})
