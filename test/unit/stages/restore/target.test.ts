import { existsSync, mkdirSync, writeFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { exitCodeOf } from '../../../../src/errors.js'
import { rememberRepository } from '../../../../src/stages/repository-memory.js'
import { chooseTarget, markerName, type RestoreTarget } from '../../../../src/stages/restore/target.js'
import { at, errorOf, write } from '../fixtures.js'

describe('where a restore goes', () => {
  const choose = (asked: string | undefined, configured: string | null = at('repository'), source = 'b2:x'): RestoreTarget =>
    chooseTarget({ asked, configured, source, repositoriesFolder: at('repositories'), isRepository: (path) => existsSync(`${path}/config`), now: new Date('2026-02-03T04:05:06.789Z') })
  const begin = (path: string, source = 'b2:x'): string => write(`${path}/${markerName}`, JSON.stringify({ schemaVersion: 1, what: 'x', source, startedAt: '2026-01-01T00:00:00.000Z' }))

  it('is the configured place where nothing is there, or an empty folder', () => {
    expect(choose(undefined)).toEqual({ path: at('repository'), isResumed: false, isMerge: false })
    mkdirSync(at('repository'))
    expect(choose(undefined)).toEqual({ path: at('repository'), isResumed: false, isMerge: false })
  })

  it('is a dated folder beside a repository that is there: that is never touched', () => {
    write('repository/config')
    expect(choose(undefined)).toEqual({ path: `${at('repository')}-restored-2026-02-03T04-05-06`, isResumed: false, isMerge: false })
  })

  it('is the place of a restore that was cut short, wherever that was', () => {
    begin('repository')
    expect(choose(undefined)).toEqual({ path: at('repository'), isResumed: true, isMerge: false })
    write('other/config')
    begin('other-restored-2026-01-01T00-00-00')
    expect(choose(undefined, at('other'))).toEqual({ path: at('other-restored-2026-01-01T00-00-00'), isResumed: true, isMerge: false })
    begin('asked')
    expect(choose(at('asked'))).toEqual({ path: at('asked'), isResumed: true, isMerge: false })
  })

  it('is never that of a restore from elsewhere', async () => {
    begin('repository', 's3:y')
    expect(choose(undefined).path).toMatch(/-restored-2026-02-03/)
    expect(await errorOf(() => choose(at('repository')))).toMatchObject({ code: 'target-not-empty', detail: expect.stringContaining('s3:y') })
  })

  it('is the folder asked for, if it is empty, or not there yet', () => {
    mkdirSync(at('empty'))
    expect(choose(at('empty')).path).toBe(at('empty'))
    expect(choose(at('new/deep'))).toEqual({ path: at('new/deep'), isResumed: false, isMerge: false })
  })

  it.each(['lost+found/', '.stackbk-restore.json.0a1b2c3d4e5f.tmp'])('is a folder that holds nothing but %s', (name) => {
    if (name.endsWith('/')) mkdirSync(at(`disk/${name}`), { recursive: true })
    else write(`disk/${name}`)
    expect(choose(at('disk'))).toEqual({ path: at('disk'), isResumed: false, isMerge: false })
  })

  it('is refused, with exit code 2, where something else is', async () => {
    write('photos/cat.jpg')
    const full = await errorOf(() => choose(at('photos')))
    expect(exitCodeOf(full)).toBe(2)
    expect(full.code).toBe('target-not-empty')
    expect(await errorOf(() => choose(at('photos/cat.jpg')))).toMatchObject({ kind: 'usage', code: 'target-unusable' })
    expect(await errorOf(() => choose(at('photos/cat.jpg/deep')))).toMatchObject({ kind: 'usage', code: 'target-unusable' })
    expect(await errorOf(() => choose(undefined, null))).toMatchObject({ kind: 'usage' })
  })

  it('is refused, with exit code 7, where a repository was on another disk: that is not mounted', async () => {
    mkdirSync(at('repositories'), { recursive: true })
    mkdirSync(at('repository'))
    rememberRepository(at('repositories'), at('repository'), { id: 'one', location: at('repository'), path: '/proc' })
    const error = await errorOf(() => choose(at('repository')))
    expect(exitCodeOf(error)).toBe(7)
    expect(error.code).toBe('disk-not-mounted')
    expect(exitCodeOf(await errorOf(() => choose(undefined)))).toBe(7)
    rememberRepository(at('repositories'), at('repository'), { id: 'one', location: at('repository'), path: at('repository') })
    expect(choose(undefined).path).toBe(at('repository'))
  })

  it('takes a marker that a crash cut short for something else', async () => {
    mkdirSync(at('half'))
    writeFileSync(at(`half/${markerName}`), '{"sour')
    expect(await errorOf(() => choose(at('half')))).toMatchObject({ code: 'target-not-empty' })
  })
})
