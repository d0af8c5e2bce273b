import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Engine, PossibleWriter } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { StackPlan } from '../../../../src/stages/backup/stack-plan.js'
import { isIgnoredWriter, possibleWriters, WriterCheck, type StartedWriter, type WriterVerdict } from '../../../../src/stages/backup/writers.js'
import { at, configuration, source, stackAt, testRun, write, type TestRun } from '../fixtures.js'

const dockge: PossibleWriter = { id: 'dockge-id', name: 'dockge', image: 'louislam/dockge:1', labels: {}, paths: [] }

function planWith(writers: readonly PossibleWriter[], excludes: readonly string[] = []): StackPlan {
  const directory = at('stacks/web')
  mkdirSync(join(directory, 'data'), { recursive: true })
  return { stack: stackAt(), sources: [source(directory, { otherUsers: writers.map(({ name }) => name), possibleWriters: writers.map((writer) => ({ ...writer, paths: writer.paths.length > 0 ? writer.paths : [directory] })) })], paths: [directory], excludes, unansweredPaths: [] } as unknown as StackPlan
}

function runWith(text = ''): TestRun {
  return testRun({ configuration: configuration(text), engine: { location: () => ({ display: at('repository'), path: at('repository') }), excludeFilter: undefined } as unknown as Partial<Engine> })
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('who can write', () => {
  it.each([
    [['dockge'], true],
    [['dock?e'], true],
    [['*dockge*'], true],
    [['louislam/dockge'], true],
    [['louislam/dockge:1'], true],
    [['louislam/*'], true],
    [['other', 'louislam/dockge'], true],
    [['dock'], false],
    [['louislam'], false],
    [['louislam/dockge:2'], false],
    [['Dockge'], false],
    [['dockg[e]'], false],
    [[''], false],
    [[], false],
  ])('is ignored by %j: %s', (patterns, expected) => {
    expect(isIgnoredWriter(dockge, patterns)).toBe(expected)
  })

  it('is told apart from a port in the name of an image, and from its digest', () => {
    const image = 'registry.example:5000/team/files'
    expect(isIgnoredWriter({ ...dockge, image: `${image}:2@sha256:abc` }, [image])).toBe(true)
    expect(isIgnoredWriter({ ...dockge, image }, ['registry.example'])).toBe(false)
  })

  it.each([['true', true], ['True ', true], ['1', true], ['false', false], ['', false]])('is ignored by its own label %j: %s', (value, expected) => {
    expect(isIgnoredWriter({ ...dockge, labels: { 'stackbk.ignore-writer': value } }, [])).toBe(expected)
  })

  it('is named once, without those that the configuration ignores for all stacks or for this one', () => {
    const plan = planWith([dockge, { ...dockge, id: '2', name: 'files' }, { ...dockge, id: '3', name: 'agent', image: 'portainer/agent' }])
    const names = (text: string): string[] => possibleWriters(plan, configuration(text)).map(({ name }) => name)
    expect(names('')).toEqual(['dockge', 'files', 'agent'])
    expect(names('[docker]\nIGNORE_WRITERS=portainer/*\n[stack:web]\nIGNORE_WRITERS=files\n[stack:other]\nIGNORE_WRITERS=dockge\n')).toEqual(['dockge'])
  })

  it('is known by name alone from a runtime that says no more', () => {
    const plan = { ...planWith([]), sources: [source(at('stacks/web'), { otherUsers: ['x'] }), source(at('elsewhere'), { otherUsers: ['y'] })] } as StackPlan
    expect(possibleWriters(plan, configuration())).toMatchObject([{ name: 'x', paths: [at('stacks/web')] }])
  })
})

describe('the check of what was written', () => {
  async function verdictOf(act: () => void, { writers = [dockge], text = '', started = [] as StartedWriter[], excludes = [] as string[] } = {}): Promise<WriterVerdict> {
    const run = runWith(text)
    const plan = planWith(writers, excludes)
    write('stacks/web/data/file')
    write('stacks/other/file')
    const check = await WriterCheck.of(run, plan)
    check.begin()
    await turns()
    act()
    check.end()
    await turns()
    // The stack runs again and writes, also to what was changed before.
    appendFileSync(at('stacks/web/data/file'), 'of the stack')
    return await check.verdict(started)
  }

  it('finds nothing where nothing was written, or elsewhere, or to what the snapshot leaves out', async () => {
    const nothing = { writers: ['dockge'], changed: [], doubt: null }
    expect(await verdictOf(() => {})).toEqual(nothing)
    expect(await verdictOf(() => appendFileSync(at('stacks/other/file'), 'x'))).toEqual(nothing)
    const excluded = (): void => {
      for (const path of ['data/a.log', 'scratch']) writeFileSync(at(`stacks/web/${path}`), 'x')
    }
    expect(await verdictOf(excluded, { excludes: ['*.log', 'cache', at('stacks/web/scratch')] })).toEqual(nothing)
  })

  it('finds what was written in a stack that lies below a folder that an exclude pattern names', async () => {
    expect(await verdictOf(() => appendFileSync(at('stacks/web/data/file'), 'x'), { excludes: ['stacks', 'web'] })).toMatchObject({ changed: [at('stacks/web/data/file')] })
  })

  it('names the file that was written, and who may have, also where the stack wrote to it again afterwards', async () => {
    expect(await verdictOf(() => appendFileSync(at('stacks/web/data/file'), 'x'))).toEqual({ writers: ['dockge'], changed: [at('stacks/web/data/file')], doubt: null })
  })

  it('is not made where all that could write are ignored, whatever changed', async () => {
    expect(await verdictOf(() => appendFileSync(at('stacks/web/data/file'), 'x'), { text: '[docker]\nIGNORE_WRITERS=dockge\n' })).toEqual({ writers: [], changed: [], doubt: null })
  })

  it('looks at what another container can reach that was started while the stack was read', async () => {
    const started = [{ at: 1, container: 'cron', isOfStack: false, writer: { id: 'cron-id', name: 'cron', image: 'cron', labels: {} } }]
    const found = await verdictOf(() => writeFileSync(at('stacks/web/data/new'), 'x'), { writers: [], started })
    expect(found.writers).toEqual(['cron'])
    expect(found.changed.length + Number(found.doubt !== null)).toBeGreaterThan(0)
    expect(await verdictOf(() => {}, { writers: [], started, text: '[docker]\nIGNORE_WRITERS=cron\n' })).toEqual({ writers: [], changed: [], doubt: null })
    // The whole folder is watched already, for another one.
    expect(await verdictOf(() => {}, { started })).toEqual({ writers: ['dockge', 'cron'], changed: [], doubt: null })
  })

  it('fits as long as the same places can be written to', async () => {
    const check = await WriterCheck.of(runWith(), planWith([dockge]))
    expect([check.fits(planWith([{ ...dockge, name: 'another' }])), check.fits(planWith([])), check.fits(planWith([{ ...dockge, paths: [at('stacks/web/data')] }]))]).toEqual([true, false, false])
    await check.close()
  })
})
