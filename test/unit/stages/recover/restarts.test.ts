import { mkdirSync, symlinkSync } from 'node:fs'

import type { PlaceReader, Runtime } from '@stackbk/contract'
import { expect, it } from 'vitest'

import type { Move } from '../../../../src/stages/recover/moves.js'
import type { RecoveryRecord } from '../../../../src/stages/recover/record.js'
import { Recovery } from '../../../../src/stages/recover/recovery.js'
import { tellWhoNeedsRestart } from '../../../../src/stages/recover/restarts.js'
import { at, partly, testRun, write } from '../fixtures.js'

const moveTo = (place: string, more: Partial<Move> = {}): Move => ({ place: at(place), staged: at('new'), aside: at('before'), hadPresent: true, ...more })

function told(record: Partial<RecoveryRecord>, movedAside: readonly string[] = []): readonly string[] {
  const recovery = new Recovery(testRun(), partly<Runtime>('runtime', {}), { name: 'web', moves: [], volumeMoves: [], ...record } as RecoveryRecord)
  recovery.movedAside.push(...movedAside)
  tellWhoNeedsRestart(recovery)
  return recovery.problems.map(({ severity, code, fix, stack }) => `${severity} ${code} ${stack ?? ''}: ${fix}`)
}

const reader = (name: string, ...paths: readonly string[]): PlaceReader => ({ name, paths: paths.map((path) => at(path)) })
const warning = (name: string): string => `warning needs-restart web: Run: docker restart ${name}`

it('names who reads what was exchanged or lies in it, whether of the folder or of a volume', () => {
  write('web/data/file')
  const readers = [reader('place', 'web'), reader('inside', 'web/data'), reader('volume', 'volumes/media'), reader('other', 'other')]
  expect(told({ moves: [moveTo('web')], volumeMoves: [moveTo('volumes/media')], readers })).toEqual(['place', 'inside', 'volume'].map(warning))
  expect(told({ moves: [moveTo('web')] })).toEqual([])
})

it('does not name who has a folder mounted that stayed while what is in it was exchanged', () => {
  write('web/data/file')
  expect(told({ moves: [moveTo('web/data'), moveTo('web/compose.yaml')], readers: [reader('place', 'web'), reader('inside', 'web/data')] })).toEqual([warning('inside')])
})

it('does not name who reads what was not there before, or what a link leads to that was exchanged itself', () => {
  mkdirSync(at('elsewhere'))
  symlinkSync(at('elsewhere'), at('link'))
  expect(told({ moves: [moveTo('web', { hadPresent: false }), moveTo('link')], readers: [reader('place', 'web'), reader('led', 'elsewhere')] })).toEqual([])
})

it('names who reads what was moved aside where the rest was written over', () => {
  expect(told({ readers: [reader('gone', 'web/extra/deep'), reader('place', 'web')] }, [at('web/extra')])).toEqual([warning('gone')])
})
