import type { AnyDescriptor, SettingDeclaration } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { describeKey } from '../../../src/config/described-key.js'
import { configurationSchema } from '../../../src/config/schema.js'
import { shownSettings } from '../../../src/config/show.js'
import { at, errorOf, load, rclone, restic } from './fixtures.js'

const settings: readonly SettingDeclaration[] = [
  { section: 'plugin:shelf', key: 'FOLDER', type: 'path', required: true, help: 'where to' },
  { section: 'plugin:shelf', key: 'TOKEN', aliases: ['KEY'], type: 'string', secret: true, help: 'token' },
  { section: 'plugin:shelf', key: 'LIMIT', type: 'integer', default: 3, range: { min: 1, max: 9 }, help: 'limit' },
  { section: 'plugin:shelf', key: 'PAUSE', type: 'duration', default: 90_000, help: 'pause' },
]
const shelf = { ...rclone, id: 'shelf', settings } as AnyDescriptor
const descriptors = [restic, rclone, shelf]
const loaded = (text: string, more: object = {}): ReturnType<typeof load> => load(text, { descriptors, ...more })

describe('the section of a plugin that is installed', () => {
  it('is read as its declarations say, in the unit of the value', () => {
    const values = loaded('[plugin:shelf]\nfolder=here\nKEY=s3cret\npause=2m\n').settingsOf(shelf)
    expect(values).toMatchObject({ FOLDER: at('here'), LIMIT: 3, PAUSE: 120_000 })
    expect(String(values['TOKEN'])).toBe('********')
  })

  it.each([
    ['a value of another type', 'LIMIT=many', 'LIMIT must be a whole number'],
    ['a value out of range', 'LIMIT=10', 'LIMIT must be between 1 and 9'],
    ['a placeholder for a secret', 'TOKEN=changeme', 'TOKEN still holds the placeholder'],
    ['two values', 'LIMIT=1\nLIMIT=2', 'LIMIT is given more than once, with different values'],
  ])('is wrong with %s, whoever uses it', (_, lines, reason) => {
    const error = errorOf(() => loaded(`[plugin:shelf]\n${lines}\n`))
    expect(error).toMatchObject({ kind: 'configuration', detail: expect.stringContaining(`config.ini:${1 + lines.split('\n').length}: ${reason}`) })
  })

  it('gets a warning for an unknown key, with the nearest known one', () => {
    expect(loaded('[plugin:shelf]\nFOLDR=/x\n').problems).toMatchObject([{ severity: 'warning', code: 'unknown-key', fix: 'Did you mean FOLDER?' }])
    expect(loaded('[plugin:shelv]\nFOLDER=/x\n').problems).toMatchObject([{ severity: 'warning', code: 'unknown-section', message: expect.stringContaining('no installed plugin has keys in [plugin:shelv]'), fix: 'Did you mean [plugin:shelf]?' }])
  })

  it('is not suggested where nothing but "plugin:" is alike', () => {
    expect(loaded('[plugin:s3]\nBUCKET=x\n').problems).toMatchObject([{ code: 'unknown-section', fix: expect.stringContaining('whether the plugin is installed for this user') }])
  })

  it('is not where a notifier has its keys, and that is said', () => {
    const matrix = { ...rclone, kind: 'notifier', id: 'matrix', settings: [{ section: 'notify', key: 'ROOM', type: 'string', help: 'room' }] } as unknown as AnyDescriptor
    expect(load('[plugin:matrix]\nROOM=x\n', { descriptors: [restic, rclone, matrix] }).problems).toMatchObject([{ code: 'unknown-section', fix: 'The keys of matrix belong in a section [notify:NAME] with TYPE=matrix.' }])
  })

  it('lacks what it requires only where it is the one that is used', () => {
    const needs = ['remote'] as const
    expect(loaded('[cloud_sync]\nRCLONE_REMOTE=b2\n', { needs }).problems).toEqual([])
    const error = errorOf(() => loaded('[cloud_sync]\nPROVIDER=shelf\n', { needs }))
    expect(error.detail).toContain('FOLDER is missing in [plugin:shelf]: where to')
    const twin = { ...shelf, id: 'pkg#shelf' } as AnyDescriptor
    expect((errorOf(() => loaded('[cloud_sync]\nPROVIDER=pkg#shelf\n', { needs, descriptors: [restic, rclone, twin] }))).detail).toContain('FOLDER is missing')
  })

  it('with a secret in it must not be readable by others', () => {
    expect((errorOf(() => loaded('[plugin:shelf]\nTOKEN=s3cret\n', { mode: 0o644 }))).code).toBe('config-readable')
  })

  it('is shown whole, its defaults too, with its secrets masked', () => {
    const shown = shownSettings(loaded('[plugin:shelf]\nFOLDER=/x\nTOKEN=s3cret\n')).filter(({ section }) => section === 'plugin:shelf')
    expect(shown.map(({ key, value, origin }) => [key, value, origin.replace(/.*:/, '')])).toEqual([['FOLDER', '/x', '2'], ['TOKEN', '********', '3'], ['LIMIT', '3', 'default'], ['PAUSE', '90s', 'default']])
  })

  it('is in the schema, and in the words of the list of keys', () => {
    const { properties } = configurationSchema(descriptors) as { properties: Record<string, { properties: Record<string, object> }> }
    expect(properties['plugin:shelf']?.properties).toMatchObject({ TOKEN: { writeOnly: true }, LIMIT: { minimum: 1, maximum: 9, default: 3 } })
    expect(settings.map((setting) => describeKey(setting, { kind: 'transport', id: 'x' }))).toMatchObject([
      { key: 'FOLDER', type: 'path', default: null, required: true, secret: false, help: 'where to' },
      { key: 'TOKEN', aliases: ['KEY'], secret: true },
      { type: 'integer, between 1 and 9', default: '3' },
      { type: 'duration', default: '90s' },
    ])
    expect(describeKey(settings.find(({ key }) => key === 'FOLDER') ?? expect.fail('no such key'), { kind: 'transport', id: 'shelf' }).readIn).toBe('[plugin:shelf]')
    // Each notification has keys of its own, whatever section their plugin declares.
    expect(describeKey(settings.find(({ key }) => key === 'FOLDER') ?? expect.fail('no such key'), { kind: 'notifier', id: 'matrix' }).readIn).toBe('[notify:NAME] with TYPE=matrix')
  })
})
