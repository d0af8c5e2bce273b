import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, describe, it } from 'vitest'

import { discoverStacks, lookForStack } from '../../../src/stacks/discovery.js'
import { assertDistinct, stackKey } from '../../../src/stacks/identity.js'
import { at, errorOf, stack } from './fixtures.js'

describe('discovery', () => {
  it('finds the folders that hold a compose file, by name, in the order that Compose prefers', () => {
    for (const name of ['docker-compose.yaml', 'docker-compose.yml', 'compose.yml', 'compose.yaml']) stack('b', name)
    stack('a', 'docker-compose.yaml')
    stack('a', 'docker-compose.yml')
    stack('my stack, really', 'compose.yml')
    mkdirSync(at('stacks/data'))
    mkdirSync(at('stacks/trap/compose.yaml'), { recursive: true })
    writeFileSync(at('stacks/compose.yaml'), '')
    const { stacks, state } = discoverStacks(at('stacks'))
    expect(stacks.map(({ name, composeFile }) => [name, composeFile])).toEqual([
      ['a', 'docker-compose.yml'],
      ['b', 'compose.yaml'],
      ['my stack, really', 'compose.yml'],
    ])
    expect(state).toBe('populated')
  })

  it('finds a folder whose environment file names another compose file, where that is there', () => {
    const folder = (name: string, environment: string, ...compose: string[]): void => {
      mkdirSync(at(`stacks/${name}/sub`), { recursive: true })
      writeFileSync(at(`stacks/${name}/.env`), environment)
      for (const file of compose) writeFileSync(at(`stacks/${name}/${file}`), 'services: {}\n')
    }
    folder('one', 'A=1\nCOMPOSE_FILE=prod.yaml\r\n', 'prod.yaml')
    folder('several', 'export COMPOSE_FILE="base.yaml:sub/more.yaml" # both\n', 'base.yaml', 'sub/more.yaml')
    folder('separated', "COMPOSE_FILE='a:b.yaml;c.yaml'\nCOMPOSE_PATH_SEPARATOR=;\n", 'a:b.yaml', 'c.yaml')
    folder('usual', 'COMPOSE_FILE=compose.yaml:other.yaml\n', 'compose.yaml', 'other.yaml')
    folder('gone', 'COMPOSE_FILE=gone.yaml\n')
    folder('folder', 'COMPOSE_FILE=sub\n')
    folder('empty', 'COMPOSE_FILE=\n#COMPOSE_FILE=prod.yaml\n', 'prod.yaml')
    mkdirSync(at('stacks/odd/.env'), { recursive: true })
    const { stacks, problems } = discoverStacks(at('stacks'))
    expect(stacks.map(({ name, composeFile }) => [name, composeFile])).toEqual([
      ['one', 'prod.yaml'],
      ['separated', 'a:b.yaml'],
      ['several', 'base.yaml'],
      ['usual', 'compose.yaml'],
    ])
    expect(problems).toEqual([])
  })

  it('defect 32: takes a linked folder for what it points to, under the name of the link', () => {
    const real = stack(at('elsewhere/real'))
    symlinkSync(real, at('stacks/link'))
    const [found] = discoverStacks(at('stacks')).stacks
    expect(found).toEqual({ name: 'link', directory: realpathSync(real), entryPath: at('stacks/link'), isExternal: false, composeFile: 'compose.yaml' })
  })

  it('tells a missing folder from one without stacks', () => {
    expect(discoverStacks(at('stacks'))).toMatchObject({ state: 'without-stacks', stacks: [] })
    expect(discoverStacks(at('none'))).toMatchObject({ state: 'missing', stacks: [] })
    expect(discoverStacks(at('none')).reason).toContain('ENOENT')
  })

  it('tells why no stack is at a path', () => {
    mkdirSync(at('empty'))
    symlinkSync(at('nowhere'), at('dangling'))
    expect(lookForStack(at('none'), true)).toMatchObject({ stack: null, absence: 'gone' })
    expect(lookForStack(at('empty'), true)).toMatchObject({ stack: null, absence: 'no-compose-file' })
    expect(lookForStack(at('dangling'), true)).toMatchObject({ stack: null, absence: 'unreachable' })
  })

  it('warns of a folder that it cannot look into', () => {
    stack('web')
    symlinkSync(at('nowhere'), at('stacks/dangling'))
    expect(discoverStacks(at('stacks')).problems).toMatchObject([{ severity: 'warning', code: 'folder-unreachable' }])
  })

  it('warns of a folder whose name is not UTF-8, also beside one whose name has the character that stands for such bytes', () => {
    const warnings = [{ severity: 'warning', code: 'folder-not-utf8', message: expect.stringContaining('M\ufffdller') as string }]
    stack('a\ufffdb')
    mkdirSync(Buffer.concat([Buffer.from(`${at('stacks')}/M`), Buffer.of(0xfc), Buffer.from('ller')]))
    const alone = discoverStacks(at('stacks'))
    expect([alone.stacks.map(({ name }) => name), alone.problems]).toMatchObject([['a\ufffdb'], warnings])
    stack('M\ufffdller')
    const beside = discoverStacks(at('stacks'))
    expect([beside.stacks.map(({ name }) => name), beside.problems]).toMatchObject([['M\ufffdller', 'a\ufffdb'], warnings])
  })
})

describe('the key of a stack', () => {
  it('is safe as a file name, legible, and its own', () => {
    const keys = ['web', '../web', 'a/b', '.hidden', 'ä ö', 'x'.repeat(300)].map((name) => stackKey({ name, directory: join('/srv', name) }))
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,80}$/)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys[0]).toMatch(/^web-[0-9a-f]{12}$/)
    expect(stackKey({ name: 'web', directory: '/a' })).not.toBe(stackKey({ name: 'web', directory: '/b' }))
  })
})

describe('stacks that are worked on together', () => {
  const one = { name: 'web', directory: '/srv/web', entryPath: '/srv/web', isExternal: true, composeFile: 'compose.yaml' }

  it('may share neither name nor folder', async () => {
    const namesake = { ...one, directory: '/mnt/web', entryPath: '/mnt/web' }
    const double = { ...one, name: 'other', entryPath: '/stacks/other' }
    expect(await errorOf(() => assertDistinct([one, namesake]))).toMatchObject({ kind: 'usage', code: 'stacks-not-distinct' })
    expect(await errorOf(() => assertDistinct([one, double]))).toMatchObject({ kind: 'usage', code: 'stacks-not-distinct' })
    expect(() => assertDistinct([one, double, namesake], [])).not.toThrow()
  })
})
