import { chmodSync } from 'node:fs'

import type { Capsule } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import type { Problem } from '../../../../src/errors.js'
import { fileMoves } from '../../../../src/stages/recover/file-moves.js'
import { sharesOf } from '../../../../src/stages/recover/file-systems.js'
import { stagedPath } from '../../../../src/stages/recover/extraction.js'
import { at, world, write } from '../fixtures.js'

const capsule = {} as Capsule

/** What would be moved, by place, of a snapshot that holds the folder `stacks/web` and these. */
function movesOf(held: readonly string[], more: { readonly capsule?: Capsule | null; readonly part?: { paths: readonly string[]; bytes: number; files: number } } = {}): { places: string[]; problems: Problem[] } {
  const directory = at('stacks/web')
  const plan = { name: 'web', origin: directory, relocations: [], held: [directory, ...held.map(at)], volumePaths: [], writtenFiles: [], shares: sharesOf([directory, ...held.map(at)], '.ours'), capsule, part: null, ...more }
  const problems: Problem[] = []
  const { moves } = fileMoves(plan, { mountPoints: new Set(), protectedPaths: new Map(), isExcluded: () => false }, problems)
  return { places: moves.map(({ place }) => place.slice(world.folder.length + 1)), problems }
}

function stage(path: string, text: string): string {
  const folder = { path: at('stacks/.ours'), mountPoint: '' }
  return write(stagedPath(folder, at(path)).slice(world.folder.length + 1), text)
}

describe('what goes to its place', () => {
  it('is the folder, and files of elsewhere that are not there', () => {
    write('stacks/other', '')
    stage('stacks/web/compose.yaml', 'x')
    stage('shared/common.env', 'A=1')
    expect(movesOf(['shared/common.env'])).toEqual({ places: ['stacks/web', 'shared/common.env'], problems: [] })
  })

  it('is no file of elsewhere that is there: it stays, and is named where it differs', () => {
    write('stacks/other', '')
    stage('stacks/web/compose.yaml', 'x')
    stage('shared/same.env', 'A=1')
    write('shared/same.env', 'A=1')
    stage('shared/changed.env', 'A=1')
    write('shared/changed.env', 'A=2')
    chmodSync(stage('shared/mode.env', 'A=1'), 0o600)
    chmodSync(write('shared/mode.env', 'A=1'), 0o644)
    const { places, problems } = movesOf(['shared/same.env', 'shared/changed.env', 'shared/mode.env'])
    expect(places).toEqual(['stacks/web'])
    expect(problems.map(({ code, message }) => [code, message.includes('content'), message.includes('mode or owner')])).toEqual([['file-differs', true, false], ['file-differs', false, true]])
  })

  it('is that file all the same where it is asked for by its path', () => {
    write('stacks/other', '')
    stage('shared/changed.env', 'A=1')
    write('shared/changed.env', 'A=2')
    expect(movesOf(['shared/changed.env'], { part: { paths: [at('shared/changed.env')], bytes: 3, files: 1 } })).toEqual({ places: ['shared/changed.env'], problems: [] })
  })

  it('is a folder of elsewhere too, but none of which nothing says what it is', () => {
    write('stacks/other', '')
    stage('stacks/web/compose.yaml', 'x')
    stage('data/rows', 'x')
    expect(movesOf(['data']).places).toEqual(['stacks/web', 'data'])
    expect(movesOf(['data'], { capsule: null })).toMatchObject({ places: ['stacks/web'], problems: [{ code: 'not-brought-back' }] })
  })
})
