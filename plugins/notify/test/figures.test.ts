import { describe, expect, it } from 'vitest'

import { mergeFigures, readFigures, writeFigures, type Figure } from '../src/exposition.js'
import { figuresOf } from '../src/figures.js'
import { finished, stack } from './fixtures.js'

const text = (figures: readonly Figure[]): string[] => writeFigures(figures).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
const at = Date.parse('2026-01-02T03:04:06.000Z') / 1000

describe('the figures', () => {
  it('of a backup are those of its result, per stage and per stack', () => {
    expect(text(figuresOf(finished())).toSorted()).toEqual(
      [
        `stackbk_last_run_timestamp_seconds{stack="",stage="backup"} ${at}`,
        `stackbk_last_success_timestamp_seconds{stack="",stage="backup"} ${at}`,
        'stackbk_status{stack="",stage="backup"} 0',
        'stackbk_exit_code{stack="",stage="backup"} 0',
        'stackbk_duration_seconds{stack="",stage="backup"} 1',
        'stackbk_problems{stack="",stage="backup"} 0',
        `stackbk_last_run_timestamp_seconds{stack="web",stage="backup"} ${at}`,
        `stackbk_last_success_timestamp_seconds{stack="web",stage="backup"} ${at}`,
        'stackbk_status{stack="web",stage="backup"} 0',
        'stackbk_duration_seconds{stack="web",stage="backup"} 3',
        'stackbk_downtime_seconds{stack="web",stage="backup"} 1.5',
        'stackbk_ready_seconds{stack="web",stage="backup"} 2.5',
        'stackbk_added_bytes{stack="web",stage="backup"} 2048',
        'stackbk_processed_bytes{stack="web",stage="backup"} 1000000',
        'stackbk_problems{stack="web",stage="backup"} 0',
      ].toSorted(),
    )
  })

  it('of a whole run are those of both stages and of the run', () => {
    const lines = text(figuresOf(finished({ command: 'run', exitCode: 3, result: { status: 'partial', problems: [], backup: { status: 'partial', stacks: [stack('web', { status: 'failed' })] }, sync: { status: 'ok', uploaded: { files: 1, bytes: 7 } } } })))
    expect(lines).toEqual(expect.arrayContaining(['stackbk_status{stack="",stage="run"} 1', 'stackbk_exit_code{stack="",stage="run"} 3', 'stackbk_status{stack="",stage="backup"} 1', 'stackbk_status{stack="web",stage="backup"} 2', 'stackbk_status{stack="",stage="sync"} 0', 'stackbk_uploaded_bytes{stack="",stage="sync"} 7']))
    expect(lines.some((line) => line.startsWith('stackbk_last_success') && line.includes('"web"'))).toBe(false)
  })

  it('of a whole run that ended before its backup did are those of a failed backup', () => {
    const lines = text(figuresOf(finished({ command: 'run', exitCode: 4, result: { status: 'failed', problems: [{}], finishedAt: '2026-01-02T03:04:06.000Z' } })))
    expect(lines).toEqual(expect.arrayContaining(['stackbk_status{stack="",stage="run"} 2', 'stackbk_status{stack="",stage="backup"} 2']))
    expect(lines.some((line) => line.includes('stage="sync"'))).toBe(false)
  })

  it('come back from the file as they were written, whatever a stack is called', () => {
    const figures = figuresOf(finished({ result: { status: 'ok', problems: [], stacks: [stack('a "b" \\ {c},d=\n'), stack('ö')] } }))
    expect(text(readFigures(writeFigures(figures)))).toEqual(text(figures))
    expect(readFigures(writeFigures(figures))).toEqual(expect.arrayContaining(figures.map((figure) => expect.objectContaining({ ...figure }) as Figure)))
  })

  it('of others stay, and rubbish goes', () => {
    const before = readFigures(`${writeFigures(figuresOf(finished({ result: { status: 'ok', stacks: [stack('blog')] } })))}rubbish\nstackbk_unknown 5\nstackbk_status{stack="x"} NaN?\n`)
    const merged = mergeFigures(before, figuresOf(finished()))
    expect(text(merged).filter((line) => line.includes('"blog"'))).toEqual(text(before).filter((line) => line.includes('"blog"')))
    expect(text(merged).filter((line) => line.startsWith('stackbk_status'))).toEqual(['stackbk_status{stack="",stage="backup"} 0', 'stackbk_status{stack="blog",stage="backup"} 0', 'stackbk_status{stack="web",stage="backup"} 0'])
  })

  it('of a name stand together, under one word of what they mean', () => {
    const lines = writeFigures(figuresOf(finished())).split('\n')
    const names = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2])
    expect(new Set(names).size).toBe(names.length)
  })
})
