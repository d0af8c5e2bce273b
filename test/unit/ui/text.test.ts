import { describe, expect, it } from 'vitest'

import { StackbkError } from '../../../src/errors.js'
import { errorText, formatError } from '../../../src/ui/error-text.js'
import { plainReporter } from '../../../src/ui/plain-reporter.js'
import { progressText } from '../../../src/ui/progress-text.js'
import { formatBytes, formatDuration, table } from '../../../src/ui/table.js'
import { fitted, widthOf } from '../../../src/ui/text-width.js'

describe('a table', () => {
  it('has columns as wide as their widest cell, and no blanks at the end of a line', () => {
    expect(table(['STACK', 'RESULT', 'X'], [['web', 'ok', ''], ['database', 'failed', '-']])).toBe('STACK     RESULT  X\nweb       ok\ndatabase  failed  -')
  })

  it('counts wide characters as two', () => {
    expect(table(['A', 'B'], [['日本', 'x'], ['😀', 'x'], ['ü', 'x']]).split('\n')).toEqual(['A     B', '日本  x', '😀    x', 'ü     x'])
  })

  it('stands a row that is too short', () => {
    expect(table(['A', 'B'], [['x']])).toBe('A  B\nx')
    expect(table(['A', 'B'], [])).toBe('A  B')
  })
})

describe('figures', () => {
  it.each([
    [null, '-'],
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
    [3000 * 1024 ** 4, '3000.0 TiB'],
  ])('%s bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it.each([
    [null, '-'],
    [0, '0.0 s'],
    [840, '0.8 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 0 s'],
    [60_000, '1 min 0 s'],
    [200_000, '3 min 20 s'],
    [3_599_600, '1 h 0 min'],
    [3_600_000, '1 h 0 min'],
    [7_500_000, '2 h 5 min'],
    [183_600_000, '2 d 3 h'],
  ])('%s ms are %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('progress', () => {
  it('tells what is known, and guesses nothing', () => {
    expect(progressText(undefined, 0, 0)).toBe('')
    expect(progressText({ phase: 'x' }, 0, 5000)).toBe('')
    expect(progressText({ phase: 'x', bytesDone: 1024 }, 0, 5000)).toBe('1.0 KiB')
    expect(progressText({ phase: 'x', filesDone: 3 }, 0, 5000)).toBe('3 files')
    expect(progressText({ phase: 'x', filesDone: 1, filesTotal: 4 }, 0, 500)).toBe('1 of 4 files  25 %')
    expect(progressText({ phase: 'x', bytesDone: 1024, bytesTotal: 4096, filesDone: 1 }, 0, 2000)).toBe('1.0 KiB of 4.0 KiB  25 %  ETA 6.0 s')
  })

  it("takes the tool's own word on what is left", () => {
    expect(progressText({ phase: 'x', bytesDone: 1024, bytesTotal: 4096, remainingMs: 90_000 }, 0, 2000)).toBe('1.0 KiB of 4.0 KiB  25 %  ETA 1 min 30 s')
    expect(progressText({ phase: 'x', bytesDone: 4096, bytesTotal: 4096, remainingMs: 90_000 }, 0, 2000)).toBe('4.0 KiB of 4.0 KiB  100 %')
  })

  it.each([
    ['database', 8, 'database'],
    ['database', 7, 'databa…'],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['e\u0301te\u0301', 3, 'e\u0301te\u0301'],
    ['xy', 0, ''],
  ])('%s in %i columns is %s', (text, columns, cut) => {
    expect(fitted(text, columns)).toBe(cut)
    expect(widthOf(cut)).toBeLessThanOrEqual(columns)
  })

  it('never says more than all, nor a time when it is over or has hardly begun', () => {
    expect(progressText({ phase: 'x', bytesDone: 5, bytesTotal: 4 }, 0, 9000)).toBe('5 B of 4 B  100 %')
    expect(progressText({ phase: 'x', bytesDone: 0, bytesTotal: 4 }, 0, 9000)).toBe('0 B of 4 B  0 %')
    expect(progressText({ phase: 'x', bytesDone: 0, bytesTotal: 0 }, 0, 9000)).toBe('0 B of 0 B')
    expect(progressText({ phase: 'x', bytesDone: 1, bytesTotal: 4 }, 0, 900)).toBe('1 B of 4 B  25 %')
  })

  it('is cut to the width of its row', () => {
    expect(fitted('abcdef', 6)).toBe('abcdef')
    expect(fitted('abcdefg', 6)).toBe('abcde…')
    expect(fitted('abc', 0)).toBe('')
  })
})

describe('an error for people', () => {
  it('is what failed, why, and what to do next', () => {
    const error = new StackbkError({ kind: 'repository-missing', message: 'the repository is gone', detail: 'it was there\nyesterday', fix: 'Mount its disk' })
    expect(formatError(errorText(error))).toBe('Error: the repository is gone\n  it was there\n  yesterday\nNext:  Mount its disk')
    expect(formatError(errorText(new StackbkError({ kind: 'failed', message: 'x' })))).toBe('Error: x')
  })

  it('does not repeat in its reason what the message says already', () => {
    const error = new StackbkError({ kind: 'repository-missing', message: 'Repository /srv/r does not exist', detail: 'repository /srv/r does not exist.\nno such file', fix: '' })
    expect(formatError(errorText(error))).toBe('Error: Repository /srv/r does not exist\n  no such file')
    expect(errorText(new StackbkError({ kind: 'failed', message: 'x failed', detail: 'X failed' })).why).toBe('')
  })

  it('of the command line is in that form too', () => {
    const ofOclif = (message: string, more: object = {}): Error => Object.assign(new Error(message), { oclif: { exit: 2 }, ...more })
    const backup = { name: 'backup', flags: ['json', 'dry-run'] }
    expect(errorText(ofOclif('Nonexistent flag: --dryrun\nSee more help with --help', { flags: ['--dryrun'] }), backup)).toEqual({ code: 'usage', message: 'there is no flag --dryrun', why: 'backup takes --dry-run, --json', fix: 'Did you mean --dry-run?' })
    expect(errorText(ofOclif('Nonexistent flags: --foo, -x', { flags: ['--foo', '-x'] }), backup)).toMatchObject({ message: 'there is no flag --foo, -x', fix: 'See: stackbk backup --help' })
    expect(errorText(ofOclif('Missing 1 required arg:\nNAME  the name\nSee more help with --help'))).toEqual({ code: 'usage', message: 'Missing 1 required arg', why: 'NAME  the name', fix: 'See: stackbk --help' })
    expect(errorText(ofOclif('Parsing --limit \n\tExpected an integer but received: x\nSee more help with --help'), backup)).toMatchObject({ message: '--limit: expected an integer but received: x', why: '' })
    expect(errorText(ofOclif('Unexpected argument: x', { suggestions: ['Leave it out'] }), backup)).toMatchObject({ fix: 'Leave it out' })
  })

  it('of a flag that has a parser of its own loses what oclif wraps it in', () => {
    const error = new StackbkError({ kind: 'usage', message: 'the value of --since cannot be taken', detail: "'x' is not a time", fix: 'Give a time' })
    error.message = `Parsing --since \n\t${error.message}\nSee more help with --help`
    expect(formatError(errorText(error))).toBe("Error: the value of --since cannot be taken\n  'x' is not a time\nNext:  Give a time")
  })

  it('that is none of ours is a bug, with all that is known of it', () => {
    expect(errorText(new TypeError('x is undefined'))).toMatchObject({ code: 'bug', why: expect.stringMatching(/x is undefined[^]*text\.test/) })
    expect(errorText('thrown text')).toMatchObject({ code: 'bug', why: 'thrown text' })
  })
})

describe('plain lines', () => {
  it('have the time, no colour, and one line for each change', () => {
    const lines: string[] = []
    const reporter = plainReporter((line) => lines.push(line))
    reporter.stacks(['web', 'db'])
    reporter.stackPhase('web', 'stopping')
    reporter.stackPhase('web', 'snapshot', { phase: 'x', bytesDone: 1 })
    reporter.stackPhase('web', 'snapshot', { phase: 'x', bytesDone: 2 })
    reporter.stackPhase('db', 'snapshot')
    reporter.stackDone('web', { status: 'ok', summary: '' })
    reporter.stackDone('db', { status: 'failed', summary: 'it broke' })
    reporter.step('retention')
    reporter.step('retention', { phase: 'x' })
    reporter.notice('a notice')
    reporter.warning('careful')
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /)
    // eslint-disable-next-line no-control-regex
    expect(lines.join('')).not.toMatch(/\u001b|\r/)
    expect(lines.map((line) => line.slice(20))).toEqual([
      '2 stacks: web, db',
      'web: stopping',
      'web: snapshot',
      'db: snapshot',
      'web: ok',
      'db: failed, it broke',
      'retention',
      'a notice',
      'warning: careful',
    ])
  })
})
