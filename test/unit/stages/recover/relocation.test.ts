import { mkdirSync, symlinkSync } from 'node:fs'

import type { Capsule, Engine } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { Configuration } from '../../../../src/config/configuration.js'
import { linesNaming, oldPathProblems } from '../../../../src/stages/recover/old-paths.js'
import { listMoved } from '../../../../src/stages/recover/moved-entries.js'
import type { RecoveredStack } from '../../../../src/stages/recover/recover-result.js'
import { assertFolder, destinationOf, destinationProblems, heldOf, placeOf } from '../../../../src/stages/recover/relocation.js'
import { readDirlist } from '../../../../src/stacks/dirlist.js'
import { at, failure, ok, partly, testRun, world, write } from '../fixtures.js'

/** A host with this stacks folder and dirlist. */
function host(stacksDirectory = at('stacks'), lines: readonly string[] = []): Pick<Configuration, 'docker'> {
  mkdirSync(stacksDirectory, { recursive: true })
  return { docker: { ...partly<Configuration['docker']>('docker', {}), dirlist: write('dirlist', lines.map((line) => `${line}\n`).join('')), stacksDirectory } }
}

describe('a path of a stack that moves', () => {
  const relocations = [{ from: '/old/web', to: '/new/web' }, { from: '/old/web/nested', to: '/srv/nested' }]

  it.each([
    ['/old/web', '/new/web'],
    ['/old/web/data/a', '/new/web/data/a'],
    ['/old/web/nested/x', '/srv/nested/x'],
    ['/old/website/a', '/old/website/a'],
    ['/var/lib/docker/volumes/v/_data', '/var/lib/docker/volumes/v/_data'],
  ])('%s of the snapshot comes to %s, and is found there again', (held, place) => {
    expect([placeOf(relocations, held), heldOf(relocations, place)]).toEqual([place, held])
  })
})

describe('the folder of a stack', () => {
  const question = { name: 'web', origin: '/opt/old/web', capsule: { stacksDirectory: '/opt/old' }, into: undefined }
  const directoryOf = (more: object, configuration = host()): string => destinationOf({ configuration, ...question, ...more }).directory

  it('goes into the folder that is asked for, by its own name, through links', () => {
    mkdirSync(at('real'))
    symlinkSync(at('real'), at('link'))
    expect(directoryOf({ into: at('link'), name: 'app' })).toBe(at('real/web'))
    expect(directoryOf({ into: at('not/there') })).toBe(at('not/there/web'))
    expect(directoryOf({ into: '/opt/old' })).toBe('/opt/old/web')
  })

  it('goes into the configured stacks folder if the snapshot has another one and the stack lay right in it, and says so', () => {
    const { directory, problems } = destinationOf({ configuration: host(), ...question })
    expect(directory).toBe(at('stacks/web'))
    expect(problems).toMatchObject([{ severity: 'warning', code: 'other-folder', fix: expect.stringContaining('--into /opt/old') }])
  })

  it.each([
    ['the snapshot does not say which one it had', { capsule: {} }],
    ['the snapshot has no capsule', { capsule: null }],
    ['it lay deeper', { origin: '/opt/old/group/web' }],
    ['it lay outside', { origin: '/srv/web' }],
  ])('stays where it was if %s', (_, more) => {
    const origin = 'origin' in more ? more.origin : question.origin
    expect(destinationOf({ configuration: host(), ...question, ...more })).toEqual({ directory: origin, problems: [] })
  })

  it('stays where it was if the stacks folder is the same, or the dirlist lists it at its old path', () => {
    expect(directoryOf({ origin: at('stacks/web'), capsule: { stacksDirectory: at('stacks') } })).toBe(at('stacks/web'))
    expect(directoryOf({}, host(at('stacks'), ['/opt/old/web']))).toBe('/opt/old/web')
    expect(directoryOf({}, host(at('stacks'), ['/opt/old/other']))).toBe(at('stacks/web'))
  })

  it('is not taken from another stack, from files that are no stack, or by two at once', () => {
    const configuration = host(at('stacks'), [`${at('srv/listed')} as other`])
    write('srv/listed/compose.yaml', 'services: {}')
    write('srv/files/a', 'x')
    write('srv/stack/compose.yaml', 'services: {}')
    mkdirSync(at('srv/empty'))
    write('srv/file', 'x')
    const problemsOf = (directory: string, others: readonly { name: string; directory: string }[] = []): readonly string[] => destinationProblems(configuration, { name: 'web', origin: '/opt/old/web', directory }, others).map(({ severity, code, message }) => `${severity} ${code} ${message}`)
    expect(problemsOf(at('srv/listed'))).toEqual([expect.stringContaining('is the folder of the stack other')])
    expect(problemsOf(at('srv/files'))).toEqual([expect.stringContaining('is there and is not a stack')])
    expect(problemsOf(at('srv/file'))).toEqual([expect.stringContaining('is there and is not a stack')])
    expect(problemsOf(at('srv/new'), [{ name: 'app', directory: at('srv/new') }])).toEqual([expect.stringContaining('web and app would both come to')])
    expect([problemsOf(at('srv/stack')), problemsOf(at('srv/empty')), problemsOf(at('srv/new'))]).toEqual([[], [], []])
    expect(problemsOf('/opt/old/web', [{ name: 'app', directory: '/opt/old/web' }])).toEqual([])
  })

  it('cannot be in a file', () => {
    expect(() => assertFolder(write('file', 'x'))).toThrow('is not a folder')
    mkdirSync(at('folder'))
    assertFolder(at('folder'))
    assertFolder(at('not/there'))
  })
})

describe('a file that names the old folder', () => {
  const relocations = [{ from: '/opt/old/web', to: '/srv/web' }, { from: '/opt/old/db', to: '/srv/db' }]

  it.each([
    ['- /opt/old/web/data:/data', true],
    ['source: "/opt/old/web"', true],
    ['DATA=/opt/old/web', true],
    ['- /opt/old/db:/db', true],
    ['- /opt/old/website:/data', false],
    ['- /opt/old/web-2/x:/data', false],
    ['- /mnt/opt/old/web/x:/data', false],
    ['  # - /opt/old/web/data:/data', false],
    ['- ./data:/data', false],
  ])('is found in %j: %s', (line, isFound) => {
    expect(linesNaming(`services:\n${line}\n`, relocations).map(({ line: number }) => number)).toEqual(isFound ? [2] : [])
  })

  it('is named with its lines and the new path, once for each file that the snapshot holds', async () => {
    const texts = new Map([['/opt/old/web/compose.yaml', 'a: /opt/old/web/x\nb\nc: /opt/old/db\n'], ['/opt/old/web/.env', 'D=/opt/old/web\n']])
    const read: string[] = []
    const engine = partly<Engine>('engine', {
      read: (_, path) => {
        read.push(path)
        const text = texts.get(path)
        return Promise.resolve(text === undefined ? failure('not-found') : ok(Buffer.from(text)))
      },
    })
    const project = { configFiles: ['/opt/old/web/compose.yaml', '/opt/old/web/more.yaml', '/etc/other.yaml'], environmentFiles: ['/opt/old/web/.env'], workingDirectory: '/opt/old/web' }
    const capsule = { projects: [project] } as unknown as Capsule
    const found = await oldPathProblems(engine, { name: 'web', origin: '/opt/old/web', directory: '/srv/web', relocations, snapshot: { id: 'abc' } }, capsule, new AbortController().signal)
    expect(found.map(({ severity, code, message }) => `${severity} ${code} ${message}`)).toEqual([
      'warning old-path compose.yaml of web names a folder that moves, in line 1, 3: its containers get the new path, /opt/old/web -> /srv/web, /opt/old/db -> /srv/db',
      'warning old-path .env of web names a folder that moves, in line 1: its containers get the new path, /opt/old/web -> /srv/web',
    ])
    expect(found[0]!.fix).toContain('/srv/web/compose.yaml')
    expect(read.sort()).toEqual(['/opt/old/web/.env', '/opt/old/web/compose.yaml', '/opt/old/web/more.yaml'])
    expect(await oldPathProblems(engine, { name: 'web', origin: '/opt/old/web', directory: '/opt/old/web', relocations: [], snapshot: { id: 'abc' } }, capsule, new AbortController().signal)).toEqual([])
  })
})

describe('the dirlist', () => {
  const recovered = (directory: string, more: Partial<RecoveredStack> = {}): RecoveredStack => ({ name: 'web', directory, movedFrom: at('gone/web'), snapshotId: 'a', status: 'ok', files: 1, bytes: 1, started: true, healthy: true, changes: null, problems: [], ...more })

  function runOn(lines: readonly string[]): { run: ReturnType<typeof testRun>; entries: () => string[] } {
    const { docker } = host(at('stacks'), lines)
    const run = testRun()
    const moved = { ...run, configuration: { ...run.configuration, docker: { ...run.configuration.docker, dirlist: docker.dirlist, stacksDirectory: docker.stacksDirectory } } } as typeof run
    return { run: moved, entries: () => readDirlist({ file: docker.dirlist, stacksDirectory: docker.stacksDirectory }).stacks.filter(({ lines: own }) => own.length > 0).map(({ path, name, enabled }) => `${path.slice(world.folder.length + 1)} ${name} ${enabled}`) }
  }

  it('gets a stack outside of the stacks folder by its path, enabled, with the name that it has', async () => {
    write('srv/docker/compose.yaml', 'services: {}')
    const { run, entries } = runOn(['other=true'])
    write('stacks/other/compose.yaml', 'services: {}')
    expect(await listMoved(run, [recovered(at('srv/docker'), { name: 'app' })])).toEqual([])
    expect(entries()).toEqual(['stacks/other other true', 'srv/docker app true'])
  })

  it('gets a stack in the stacks folder by its name, and leaves an entry that is there as it is', async () => {
    write('stacks/web/compose.yaml', 'services: {}')
    write('stacks/off/compose.yaml', 'services: {}')
    const { run, entries } = runOn([])
    expect(await listMoved(run, [recovered(at('stacks/web')), recovered(at('stacks/off'), { name: 'off', status: 'failed' })])).toEqual([])
    expect(entries()).toEqual(['stacks/web web true'])
    expect(await listMoved(run, [recovered(at('stacks/web'))])).toEqual([])
    expect(entries()).toEqual(['stacks/web web true'])
  })

  it('loses the entry of the old folder if that is gone, and keeps one that is still there', async () => {
    write('srv/web/compose.yaml', 'services: {}')
    const { run, entries } = runOn([at('gone/web')])
    expect(await listMoved(run, [recovered(at('srv/web'))])).toEqual([])
    expect(entries()).toEqual(['srv/web web true'])
    const byName = runOn(['# mine', 'web=true'])
    expect(await listMoved(byName.run, [recovered(at('srv/web'), { movedFrom: at('stacks/web') })])).toEqual([])
    expect(byName.entries()).toEqual(['srv/web web true'])
    write('here/web/compose.yaml', 'services: {}')
    const both = runOn([at('here/web')])
    expect(await listMoved(both.run, [recovered(at('srv/web'), { movedFrom: at('here/web') })])).toMatchObject([{ severity: 'warning', code: 'not-an-entry', stack: 'web' }])
    expect(both.entries()).toContain('here/web web true')
  })
})
