import { stripVTControlCharacters } from 'node:util'

import { describe, expect, it } from 'vitest'

import { type Choice, ChoiceList, type ListAnswer } from '../../../src/ui/choice-list.js'
import type { Key, Screen, Size, Step } from '../../../src/ui/screen.js'
import { paintFor } from '../../../src/ui/terminal.js'
import { widthOf } from '../../../src/ui/text-width.js'

const paint = paintFor({ NO_COLOR: '1' })
const key = (name: string): Key => {
  if (name.startsWith('ctrl-')) return { name: name.slice(5), ctrl: true, text: '' }
  return { name, ctrl: false, text: name.length === 1 ? name : '' }
}
/** Presses all of them; what the last one came to. */
function press<T>(screen: Screen<T>, ...names: string[]): Step<T> {
  screen.frame({ columns: 80, rows: 24 })
  return names.map((name) => screen.press(key(name))).at(-1) ?? { kind: 'none' }
}
const rowsOf = (screen: Screen<unknown>, size: Size = { columns: 80, rows: 24 }): string[] => [...screen.frame(size).rows]
const answerOf = (step: Step<ListAnswer<string>>): ListAnswer<string> => {
  if (step.kind !== 'answer') throw new Error(`no answer but ${step.kind}`)
  return step.value
}

const hundred = Array.from({ length: 100 }, (_, index): Choice<string> => ({ value: `stack-${index}`, label: `stack-${String(index).padStart(2, '0')}` }))
const fruit: Choice<string>[] = [
  { value: 'apple', label: 'Apple', hint: 'red', group: 'round' },
  { value: 'orange', label: 'Orange', group: 'round', otherNames: 'citrus' },
  { value: 'banana', label: 'Banana split', group: 'long' },
]
const list = (more: Partial<ConstructorParameters<typeof ChoiceList<string>>[0]> = {}): ChoiceList<string> => new ChoiceList({ title: 'Which?', choices: fruit, paint, unicode: true, ...more })

describe('a list to choose from', () => {
  it('goes up and down, and round at its ends', () => {
    expect(answerOf(press(list(), 'down', 'return')).chosen).toBe('orange')
    expect(answerOf(press(list(), 'up', 'return')).chosen).toBe('banana')
    expect(answerOf(press(list(), 'down', 'down', 'down', 'return')).chosen).toBe('apple')
    expect(answerOf(press(list(), 'end', 'home', 'return')).chosen).toBe('apple')
  })

  it('that is folded shows only its title until a key is pressed, which changes nothing else unless it is a letter', () => {
    const folded = list({ isFolded: true })
    expect(rowsOf(folded)).toEqual(['Which?', 'any key shows the list · esc leave'])
    expect(press(folded, 'return')).toEqual({ kind: 'stay' })
    expect(rowsOf(folded)).toEqual(rowsOf(list()))
    expect(answerOf(press(folded, 'return')).chosen).toBe('apple')
    for (const name of ['down', 'space', 'ctrl-u']) expect(answerOf(press(list({ isFolded: true }), name, 'return')).chosen).toBe('apple')
    expect(answerOf(press(list({ isFolded: true }), 'b', 'a', 'return')).chosen).toBe('banana')
    expect(press(list({ isFolded: true }), 'escape')).toEqual({ kind: 'back' })
  })

  it('that is folded is unfolded by an empty line where lines are read', () => {
    const folded = list({ isFolded: true })
    expect(folded.plain.question()).toEqual(['Which?', 'Enter shows the list; q leaves:'])
    expect(folded.plain.read('')).toEqual({ kind: 'stay' })
    expect(folded.plain.question()).toContain('   1  Apple: red')
    expect(list({ isFolded: true }).plain.read('q')).toEqual({ kind: 'back' })
  })

  it('begins where it is told to', () => {
    expect(answerOf(press(list({ initial: 'orange' }), 'enter')).chosen).toBe('orange')
  })

  it.each([
    [['b', 'a'], 'banana'],
    [['r', 'e', 'd'], 'apple'],
    [['c', 'i', 't', 'r'], 'orange'],
    [['s', 'p', 'l', 'space', 'b', 'a'], 'banana'],
    [['x', 'backspace', 'o', 'r'], 'orange'],
    [['x', 'ctrl-u', 'l', 'o', 'n', 'g'], 'banana'],
    [['r'], 'orange'],
    [['o', 'r'], 'orange'],
    [['a', 'n'], 'orange'],
    [['b', 'a', 'n', 'a', 'n', 'a', 'space', 's'], 'banana'],
  ])('is searched by typing %s', (typed, found) => {
    expect(answerOf(press(list(), ...typed, 'return')).chosen).toBe(found)
  })

  it('says so when nothing is found, and cannot be answered then', () => {
    const searched = list()
    expect(press(searched, 'z', 'return')).toEqual({ kind: 'none' })
    expect(rowsOf(searched)).toContain('  no match')
    expect(rowsOf(searched)[0]).toContain('search: z')
  })

  it('forgets a search by Esc first, and is left by the next', () => {
    const searched = list()
    expect(press(searched, 'z', 'escape')).toEqual({ kind: 'stay' })
    expect(press(searched, 'escape')).toEqual({ kind: 'back' })
  })

  it('names a group before its first row only; in a narrow terminal there is no group, and the hint below', () => {
    expect(rowsOf(list()).slice(1, 4)).toEqual(['round ❯ Apple         red', '        Orange', 'long    Banana split'])
    expect(rowsOf(list(), { columns: 40, rows: 24 }).slice(1, 5)).toEqual(['❯ Apple', '  Orange', '  Banana split', 'red'])
  })

  it('shows as many rows as there is room for, and always the chosen one', () => {
    const long = list({ choices: hundred })
    for (const rows of [6, 10, 24]) {
      press(long, 'home')
      for (let step = 0; step < 130; step++) {
        const seen = rowsOf(long, { columns: 40, rows })
        expect(seen.length).toBeLessThan(rows)
        expect(seen.filter((row) => row.startsWith('❯'))).toEqual([`❯ stack-${String(step % 100).padStart(2, '0')}`])
        long.press(key('down'))
      }
    }
    expect(rowsOf(long)[0]).toMatch(/\d+-\d+ of 100/)
  })

  it('goes by pages', () => {
    expect(answerOf(press(list({ choices: hundred }), 'pagedown', 'pagedown', 'pageup', 'return')).chosen).toMatch(/^stack-(19|2\d)$/)
    expect(answerOf(press(list({ choices: hundred }), 'pagedown', 'end', 'return')).chosen).toBe('stack-99')
  })

  it.each([80, 40, 20, 12, 7])('no row is as wide as a terminal of %i columns, whatever the names are', (columns) => {
    const names = ['größe', '日本語のスタック名前とても長い', 'a\u001b[31mred', 'line\nbreak', 'x'.repeat(200), 'e\u0301'.repeat(30), '👍 thumbs']
    const strange = list({ title: 'A rather long question is asked here', header: ['a header '.repeat(20)], choices: names.map((name) => ({ value: name, label: name, hint: `${name} hint`, group: name.slice(0, 8), detail: name })), ticked: names })
    for (const row of rowsOf(strange, { columns, rows: 24 })) {
      expect(widthOf(row)).toBeLessThan(columns)
      expect(row).not.toMatch(/\p{Cc}/u)
    }
  })

  it('keeps its header only where there is room', () => {
    const headed = list({ header: ['one', 'two', 'three'] })
    expect(rowsOf(headed).slice(0, 3)).toEqual(['one', 'two', 'three'])
    expect(rowsOf(headed, { columns: 80, rows: 6 })[0]).toContain('Which?')
  })

  it('is without colour, and ASCII alone, where the terminal is', () => {
    expect(rowsOf(list({ unicode: false })).join('')).toMatch(/^[\x20-\x7e]+$/)
    const coloured = rowsOf(list({ paint: paintFor({}) }))
    expect(coloured.join('')).toContain('\u001b[36m')
    expect(coloured.map((row) => stripVTControlCharacters(row))).toEqual(rowsOf(list()))
  })
})

describe('a list to tick', () => {
  const ticking = (): ChoiceList<string> => list({ ticked: ['orange'], choices: [...fruit, { value: 'add', label: 'Add...', isAction: true }] })

  it('ticks by blank, and gives what is ticked in its own order', () => {
    expect(answerOf(press(ticking(), 'space', 'return'))).toEqual({ chosen: 'apple', ticked: ['apple', 'orange'], isAction: false })
    expect(answerOf(press(ticking(), 'down', 'space', 'return')).ticked).toEqual([])
  })

  it('ticks all and none of what is shown, and nothing that the search has hidden', () => {
    expect(answerOf(press(ticking(), 'ctrl-a', 'return')).ticked).toEqual(['apple', 'orange', 'banana'])
    expect(answerOf(press(ticking(), 'ctrl-a', 'ctrl-n', 'return')).ticked).toEqual([])
    expect(answerOf(press(ticking(), 'b', 'a', 'n', 'ctrl-a', 'escape', 'return')).ticked).toEqual(['orange', 'banana'])
    expect(answerOf(press(ticking(), 'a', 'p', 'p', 'l', 'ctrl-n', 'escape', 'return')).ticked).toEqual(['orange'])
  })

  it('has rows that are no ticks but something to do', () => {
    expect(press(ticking(), 'end', 'space')).toEqual({ kind: 'none' })
    expect(answerOf(press(ticking(), 'end', 'return'))).toEqual({ chosen: 'add', ticked: ['orange'], isAction: true })
  })

  it('shows its ticks, and how many they are', () => {
    const rows = rowsOf(ticking())
    expect(rows[0]).toBe('Which?  1 of 3 ticked')
    expect(rows.slice(1, 5)).toEqual(['round ❯ [ ] Apple         red', '        [x] Orange', 'long    [ ] Banana split', '            Add...'])
  })
})

describe('in a terminal that knows lines alone', () => {
  it('one is chosen by its number', () => {
    const { plain } = list()
    expect(plain.question()).toEqual(['Which?', '   1  Apple: red', '   2  Orange', '   3  Banana split', 'the number of one; q leaves:'])
    expect(answerOf(plain.read('2')).chosen).toBe('orange')
    expect([plain.read('9'), plain.read('x'), plain.read('')].map(({ kind }) => kind)).toEqual(['none', 'none', 'none'])
    expect(plain.read('q')).toEqual({ kind: 'back' })
  })

  it('several are switched by their numbers', () => {
    const { plain } = list({ ticked: ['orange'] })
    expect(plain.read('1-2 3')).toEqual({ kind: 'stay' })
    expect(answerOf(plain.read('')).ticked).toEqual(['apple', 'banana'])
    expect(plain.read('all')).toEqual({ kind: 'stay' })
    expect(answerOf(plain.read('')).ticked).toHaveLength(3)
    expect(plain.read('none')).toEqual({ kind: 'stay' })
    expect(answerOf(plain.read('')).ticked).toEqual([])
  })
})
