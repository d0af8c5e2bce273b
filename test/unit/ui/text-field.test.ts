import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, it } from 'vitest'

import { completeFolder, withHome } from '../../../src/ui/path-completion.js'
import { SecretField } from '../../../src/ui/secret-field.js'
import type { Key, Screen, Step } from '../../../src/ui/screen.js'
import { paintFor } from '../../../src/ui/terminal.js'
import { TextField } from '../../../src/ui/text-field.js'
import { widthOf } from '../../../src/ui/text-width.js'
import { YesOrNo } from '../../../src/ui/yes-or-no.js'

const paint = paintFor({ NO_COLOR: '1' })
const keyCalled = (name: string): Key => (name.startsWith('ctrl-') ? { name: name.slice(5), ctrl: true, text: '' } : { name, ctrl: false, text: '' })
/** `<name>` is a key, all else is typed. */
function type<T>(screen: Screen<T>, typed: string): Step<T> {
  const keys = [...typed.matchAll(/<([a-z-]+)>|(.)/gu)].map(([, name, text = '']): Key => (name === undefined ? { name: text, ctrl: false, text } : keyCalled(name)))
  return keys.map((key) => screen.press(key)).at(-1) ?? { kind: 'none' }
}

describe('a line to write', () => {
  it.each([
    ['abc<return>', 'abc'],
    ['ac<left>b<return>', 'abc'],
    ['bc<home>a<end>d<return>', 'abcd'],
    ['abx<backspace>c<return>', 'abc'],
    ['xabc<home><delete><return>', 'abc'],
    ['junk<ctrl-u>abc<return>', 'abc'],
    ['/srv/one/two<ctrl-w>x<return>', '/srv/one/x'],
    ['abcjunk<left><left><left><left><ctrl-k><return>', 'abc'],
    ['größe 日本<return>', 'größe 日本'],
    ['  abc  <return>', 'abc'],
  ])('%s gives %s', (typed, expected) => {
    expect(type(new TextField({ title: 'Path', paint }), typed)).toEqual({ kind: 'answer', value: expected })
  })

  it('begins with what is likely', () => {
    expect(type(new TextField({ title: 'Path', initial: '/srv', paint }), '/x<return>')).toEqual({ kind: 'answer', value: '/srv/x' })
  })

  it('is not taken while there is something against it, and says what', () => {
    const field = new TextField({ title: 'Path', paint, objection: (text) => (text === '' ? 'a path is needed' : null) })
    expect(type(field, '<return>')).toEqual({ kind: 'stay' })
    expect(field.frame({ columns: 80, rows: 24 }).rows).toContain('a path is needed')
    expect(type(field, 'x<return>')).toEqual({ kind: 'answer', value: 'x' })
  })

  it.each([80, 40, 12])('the cursor stays within %i columns, however long the line is', (columns) => {
    const field = new TextField({ title: 'A rather long question for a path', paint })
    for (const text of ['日本語'.repeat(60), '<home>', '<end>', '<left>', '<left>']) {
      type(field, text)
      const { rows, cursor } = field.frame({ columns, rows: 24 })
      expect(Math.max(...rows.map(widthOf), cursor?.column ?? 0)).toBeLessThan(columns)
    }
  })

  it('is left by Esc', () => {
    expect(type(new TextField({ title: 'Path', paint }), 'abc<escape>')).toEqual({ kind: 'back' })
  })

  it('in a terminal that knows lines alone, an empty line takes what is there', () => {
    const { plain } = new TextField({ title: 'Path', initial: '/srv', paint, objection: (text) => (text === 'x' ? 'no' : null) })
    expect(plain.question()).toEqual(['Path (/srv):'])
    expect(plain.read('')).toEqual({ kind: 'answer', value: '/srv' })
    expect(plain.read('x')).toEqual({ kind: 'stay' })
    expect(plain.question()).toEqual(['no', 'Path (/srv):'])
    expect(plain.read('/mnt')).toEqual({ kind: 'answer', value: '/mnt' })
  })
})

describe('a path is completed', () => {
  const root = mkdtempSync(join(tmpdir(), 'stackbk-completion-'))
  for (const name of ['one', 'one more', 'other', '.hidden', 'größe']) mkdirSync(join(root, name))
  writeFileSync(join(root, 'only-a-file'), '')
  symlinkSync(join(root, 'other'), join(root, 'linked'))
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'))
  afterAll(() => rmSync(root, { recursive: true }))

  it.each([
    ['o', 'o', ['one', 'one more', 'other']],
    ['on', 'one', ['one', 'one more']],
    ['ot', 'other/', ['other']],
    ['gr', 'größe/', ['größe']],
    ['lin', 'linked/', ['linked']],
    ['dang', 'dang', []],
    ['.', '.hidden/', ['.hidden']],
    ['none', 'none', []],
    ['', '', ['größe', 'linked', 'one', 'one more', 'other']],
  ])("'%s' to '%s'", (begun, completed, candidates) => {
    expect(completeFolder(`${root}/${begun}`)).toEqual({ text: `${root}/${completed}`, candidates })
  })

  it('shows what it could become where it can be completed no further', () => {
    const field = new TextField({ title: 'Path', paint, initial: `${root}/o`, complete: completeFolder })
    type(field, '<tab>')
    expect(field.frame({ columns: 80, rows: 24 }).rows.slice(2, 5)).toEqual(['one', 'one more', 'other'])
    expect(type(field, 't<tab><return>')).toEqual({ kind: 'answer', value: `${root}/other/` })
  })

  it('knows the home folder', () => {
    expect([withHome('~'), withHome('~/x'), withHome('~x'), withHome('/~')]).toEqual([process.env['HOME'], `${process.env['HOME']}/x`, '~x', '/~'])
  })
})

describe('yes or no', () => {
  it.each([
    ['y', { kind: 'answer', value: true }],
    ['Y', { kind: 'answer', value: true }],
    ['n', { kind: 'answer', value: false }],
    ['<return>', { kind: 'answer', value: false }],
    ['x', { kind: 'none' }],
    ['<escape>', { kind: 'back' }],
  ])('%s', (typed, step) => {
    expect(type(new YesOrNo({ flag: '--yes', paint }), typed)).toEqual(step)
  })
})

describe('a secret', () => {
  it('is given whole, and never shown', () => {
    const field = new SecretField({ title: 'Passphrase', paint })
    type(field, 'five word ')
    expect(field.frame({ columns: 80, rows: 24 }).rows).toEqual(['Passphrase (not shown): '])
    expect(type(field, 'sx<backspace><return>')).toEqual({ kind: 'answer', value: 'five word s' })
    expect(field.told()).not.toContain('five')
  })
})
