import type { Frame, Key, PlainQuestion, Screen, Size, Step } from './screen.js'
import { isUnicode, type Paint, paintFor } from './terminal.js'
import { fitted, padded, printable, widthOf } from './text-width.js'

/** One row of a list. */
export interface Choice<T> {
  readonly value: T
  readonly label: string
  /** Beside it, where there is room. */
  readonly hint?: string
  /** Rows of one group stand together; its name is before the first of them. */
  readonly group?: string
  /** Below the list while this row is chosen. */
  readonly detail?: string
  /** Searched too, and not shown. */
  readonly otherNames?: string
  /** In a list to tick: no tick, Enter on it ends the list. */
  readonly isAction?: boolean
}

export interface ChoiceListOptions<T> {
  readonly title: string
  /** Above the title. */
  readonly header?: readonly string[]
  readonly choices: readonly Choice<T>[]
  /** What is ticked at the beginning; absent: one row is chosen, none is ticked. */
  readonly ticked?: readonly T[]
  /** The row that is chosen at the beginning. */
  readonly initial?: T
  /** What the flag or the command is called that gives the same answer. */
  readonly flag?: string
  /** At most so many rows of the list are shown. */
  readonly mostRows?: number
  /** Only the title is shown until a key is pressed, so that what stands above it stays visible. */
  readonly isFolded?: boolean
  readonly paint?: Paint
  readonly unicode?: boolean
}

/** The rows that are ticked, or the one that was chosen. */
export interface ListAnswer<T> {
  readonly chosen: T
  readonly ticked: readonly T[]
  /** Enter on a row with `isAction`. */
  readonly isAction: boolean
}

const narrow = 64
const leastRows = 3
const leastForBoxes = 12

/**
 * A list to choose one row of, or to tick rows in. Typing searches. enquirer's own lists turn round instead of scrolling,
 * count headings as rows, and lose ticks when they are searched; so of enquirer only the keyboard is used.
 */
export class ChoiceList<T> implements Screen<ListAnswer<T>> {
  readonly #options: ChoiceListOptions<T>
  readonly #ticked: Set<T>
  readonly #paint: Paint
  readonly #pointer: string
  #query = ''
  #focus: number
  #top: number
  #page = 10
  #isFolded: boolean

  constructor(options: ChoiceListOptions<T>) {
    this.#options = options
    this.#ticked = new Set(options.ticked)
    this.#isFolded = options.isFolded ?? false
    this.#paint = options.paint ?? paintFor()
    this.#pointer = (options.unicode ?? isUnicode()) ? '❯' : '>'
    this.#focus = Math.max(0, options.choices.findIndex(({ value }) => value === options.initial))
    this.#top = Math.max(0, this.#focus - leastRows)
  }

  readonly plain: PlainQuestion<ListAnswer<T>> = {
    question: () => {
      if (this.#isFolded) return [this.#options.title, 'Enter shows the list; q leaves:']
      const rows = this.#options.choices.map(({ value, label, hint = '', isAction }, index) => {
        const box = !this.#isToTick || isAction === true ? '' : this.#ticked.has(value) ? '[x] ' : '[ ] '
        return `${String(index + 1).padStart(4)}  ${box}${printable(hint === '' ? label : `${label}: ${hint}`)}`
      })
      const keys = this.#isToTick ? 'numbers to switch (1 3-5), all, none; an empty line is done' : 'the number of one'
      return [...(this.#options.header ?? []).map(printable), this.#options.title, ...rows, `${keys}; q leaves:`]
    },
    read: (line) => {
      if (line.trim() === '' && this.#unfolds()) return { kind: 'stay' }
      const words = line.trim().split(/[\s,]+/).filter((word) => word !== '')
      if (words[0] === 'q') return { kind: 'back' }
      const chosen = words.flatMap(numbersIn).map((number) => this.#options.choices[number - 1])
      const [first] = chosen
      if (!this.#isToTick || first?.isAction === true) return first === undefined ? { kind: 'none' } : this.#answerWith(first)
      if (words.length === 0) return this.#answer()
      if (words[0] === 'all' || words[0] === 'none') return this.#pressWithControl(words[0] === 'all' ? 'a' : 'n')
      if (chosen.length === 0 || chosen.includes(undefined)) return { kind: 'none' }
      for (const choice of chosen) if (choice !== undefined && choice.isAction !== true && !this.#ticked.delete(choice.value)) this.#ticked.add(choice.value)
      return { kind: 'stay' }
    },
  }

  /** What is ticked now, in the list's order: also of a list that was left. */
  ticked(): readonly T[] {
    return this.#options.choices.map(({ value }) => value).filter((value) => this.#ticked.has(value))
  }

  press(key: Key): Step<ListAnswer<T>> {
    if (key.name === 'escape' && this.#isFolded) return { kind: 'back' }
    // A letter also begins a search; other keys only unfold the list, since the row that they would act on was not seen.
    if (this.#unfolds() && (key.text.trim() === '' || key.ctrl)) return { kind: 'stay' }
    if (key.ctrl) return this.#pressWithControl(key.name)
    switch (key.name) {
      case 'return':
      case 'enter':
        return this.#answer()
      case 'escape':
        return this.#query === '' ? { kind: 'back' } : this.#search('')
      case 'up':
        return this.#move(-1, true)
      case 'down':
      case 'tab':
        return this.#move(1, true)
      case 'pageup':
        return this.#move(-this.#page, false)
      case 'pagedown':
        return this.#move(this.#page, false)
      case 'home':
        return this.#move(-Infinity, false)
      case 'end':
        return this.#move(Infinity, false)
      case 'backspace':
        return this.#query === '' ? { kind: 'none' } : this.#search([...this.#query].slice(0, -1).join(''))
      case 'space':
        return this.#isToTick ? this.#tick() : this.#search(`${this.#query} `)
      default:
        return key.text === '' ? { kind: 'none' } : this.#search(this.#query + key.text)
    }
  }

  told({ chosen, ticked, isAction }: ListAnswer<T>): string {
    const { title, choices } = this.#options
    if (isAction) return ''
    const answer = this.#isToTick ? `${ticked.length} of ${this.#tickable(choices).length}` : (choices.find(({ value }) => value === chosen)?.label ?? '')
    return `${this.#paint.good(this.#pointer)} ${title} ${this.#paint.chosen(printable(answer))}`
  }

  frame({ columns, rows }: Size): Frame {
    if (this.#isFolded) return { rows: [this.#paint.strong(fitted(this.#options.title, columns - 1)), this.#paint.faint(fitted(this.#inAscii('any key shows the list · esc leave'), columns - 1))] }
    const shown = this.#shown
    const width = columns - 1
    const focused = shown[this.#focus]
    const footer = [this.#detailOf(focused, width), this.#keys(width)].filter((text) => text !== '')
    const mostHeader = Math.max(0, rows - 1 - 1 - footer.length - leastRows)
    const header = (this.#options.header ?? []).slice(0, mostHeader)
    const most = Math.min(this.#options.mostRows ?? Infinity, Math.max(1, rows - 1 - header.length - 1 - footer.length))
    this.#page = Math.min(most, Math.max(1, shown.length))
    this.#scroll(shown.length)
    const visible = shown.slice(this.#top, this.#top + this.#page)
    const list = visible.length === 0 ? [this.#paint.warning(fitted('  no match', width))] : visible.map((choice, index) => this.#row(choice, { isFocused: choice === focused, before: visible[index - 1], width }))
    return { rows: [...header.map((line) => fitted(printable(line), width)), this.#titleRow(shown.length, width), ...list, ...footer.map((line) => this.#paint.faint(line))] }
  }

  get #isToTick(): boolean {
    return this.#options.ticked !== undefined
  }

  /** Rows that the search leaves: each word of it has to be found. Those that are called so come first. */
  get #shown(): readonly Choice<T>[] {
    const query = this.#query.toLowerCase().trim()
    if (query === '') return this.#options.choices
    const words = query.split(' ').filter((word) => word !== '')
    const found = this.#options.choices.filter(({ label, hint = '', group = '', otherNames = '' }) => {
      const text = `${label} ${hint} ${group} ${otherNames}`.toLowerCase()
      return words.every((word) => text.includes(word))
    })
    const rank = ({ label }: Choice<T>): number => (label.toLowerCase().startsWith(query) ? 0 : label.toLowerCase().includes(query) ? 1 : 2)
    return found.toSorted((one, other) => rank(one) - rank(other))
  }

  #titleRow(found: number, width: number): string {
    const { title, choices } = this.#options
    const most = width - widthOf(title) - 2
    const [ticked, all, last] = [this.ticked().length, this.#tickable(choices).length, this.#top + this.#page]
    const factsOf = (of: string, what: string): string => [...(this.#isToTick ? [`${ticked}${of}${all}${what}`] : []), ...(found > this.#page ? [`${this.#top + 1}-${last}${of}${found}`] : [])].join(', ')
    const query = this.#query === '' ? '' : `search: ${this.#query}`
    const besides = [factsOf(' of ', ' ticked'), factsOf('/', '')].map((facts) => [query, facts].filter((text) => text !== '').join('  '))
    const beside = besides.find((text) => widthOf(printable(text)) <= most) ?? besides[1] ?? ''
    const strong = this.#paint.strong(fitted(title, width))
    return beside === '' || most < 4 ? strong : `${strong}  ${this.#paint.chosen(fitted(printable(beside), most))}`
  }

  #row({ value, label, hint: words = '', group = '', isAction }: Choice<T>, { isFocused, before, width }: { isFocused: boolean; before: Choice<T> | undefined; width: number }): string {
    const { choices } = this.#options
    const isNarrow = width + 1 < narrow
    const hint = isNarrow ? '' : words
    const groups = isNarrow ? 0 : Math.max(...choices.map((choice) => widthOf(choice.group ?? '')))
    const lead = groups === 0 ? '' : `${this.#paint.faint(padded(group === (before?.group ?? '') ? '' : printable(group), groups))} `
    const box = !this.#isToTick || width < leastForBoxes ? '' : isAction === true ? '    ' : this.#ticked.has(value) ? '[x] ' : '[ ] '
    const left = Math.max(0, width - (groups === 0 ? 0 : groups + 1) - 2 - box.length)
    const longest = Math.max(...choices.map((choice) => widthOf(choice.label)))
    const labels = hint === '' ? left : Math.min(left, Math.max(8, Math.min(longest, Math.floor(left * 0.6))))
    const text = hint === '' ? fitted(printable(label), labels) : padded(printable(label), labels)
    const rest = left - labels - 2
    const beside = hint === '' ? '' : `  ${this.#paint.faint(fitted(printable(hint), rest))}`
    const mark = isFocused ? this.#paint.chosen(this.#pointer) : ' '
    const ticked = this.#ticked.has(value) ? this.#paint.good(box) : box
    return `${lead}${mark} ${ticked}${isFocused ? this.#paint.chosen(text) : text}${beside}`.trimEnd()
  }

  /** What the row is about; in a narrow terminal its hint has no other place. */
  #detailOf(choice: Choice<T> | undefined, width: number): string {
    if (choice === undefined) return ''
    const text = width + 1 < narrow && choice.hint !== undefined ? choice.hint : (choice.detail ?? '')
    return fitted(printable(text), width)
  }

  #keys(width: number): string {
    const { flag = '' } = this.#options
    const same = flag === '' ? '' : ` · or ${flag}`
    const long = this.#isToTick ? 'space tick · ctrl-a all · ctrl-n none · type to search · enter done · esc leave' : '↑↓ choose · type to search · enter go · esc leave'
    const short = this.#isToTick ? 'space, ctrl-a all, ctrl-n none, enter, esc' : '↑↓, type to search, enter, esc'
    const text = [`${long}${same}`, long, short].find((keys) => widthOf(keys) <= width) ?? short
    return fitted(this.#inAscii(text), width)
  }

  /** The text as it is, or for a terminal that shows ASCII alone. */
  #inAscii(text: string): string {
    return this.#pointer === '>' ? text.replaceAll(' · ', ', ').replaceAll('↑↓', 'arrows') : text
  }

  /** Shows the list; `false` if it was shown already. */
  #unfolds(): boolean {
    const wasFolded = this.#isFolded
    this.#isFolded = false
    return wasFolded
  }

  #tickable(choices: readonly Choice<T>[]): readonly Choice<T>[] {
    return choices.filter(({ isAction }) => isAction !== true)
  }

  #pressWithControl(name: string): Step<ListAnswer<T>> {
    if (name === 'u') return this.#search('')
    if (name === 'p') return this.#move(-1, true)
    if (name === 'j' || name === 'm') return this.#answer()
    if (!this.#isToTick) return name === 'n' ? this.#move(1, true) : { kind: 'none' }
    if (name !== 'a' && name !== 'n') return { kind: 'none' }
    for (const { value } of this.#tickable(this.#shown)) {
      if (name === 'a') this.#ticked.add(value)
      else this.#ticked.delete(value)
    }
    return { kind: 'stay' }
  }

  #answer(): Step<ListAnswer<T>> {
    const focused = this.#shown[this.#focus]
    return focused === undefined ? { kind: 'none' } : this.#answerWith(focused)
  }

  #answerWith(focused: Choice<T>): Step<ListAnswer<T>> {
    return { kind: 'answer', value: { chosen: focused.value, ticked: this.ticked(), isAction: focused.isAction === true } }
  }

  #tick(): Step<ListAnswer<T>> {
    const focused = this.#shown[this.#focus]
    if (focused === undefined || focused.isAction === true) return { kind: 'none' }
    if (!this.#ticked.delete(focused.value)) this.#ticked.add(focused.value)
    return { kind: 'stay' }
  }

  #search(query: string): Step<ListAnswer<T>> {
    const focused = this.#shown[this.#focus]
    this.#query = query
    this.#focus = Math.max(0, focused === undefined || query !== '' ? 0 : this.#shown.indexOf(focused))
    return { kind: 'stay' }
  }

  #move(by: number, goesRound: boolean): Step<ListAnswer<T>> {
    const last = this.#shown.length - 1
    if (last < 0) return { kind: 'none' }
    const wanted = this.#focus + by
    this.#focus = goesRound && wanted < 0 ? last : goesRound && wanted > last ? 0 : Math.min(last, Math.max(0, wanted))
    return { kind: 'stay' }
  }

  /** The chosen row stays in sight, and no room is left unused. */
  #scroll(count: number): void {
    this.#focus = Math.min(this.#focus, Math.max(0, count - 1))
    if (this.#focus < this.#top) this.#top = this.#focus
    if (this.#focus >= this.#top + this.#page) this.#top = this.#focus - this.#page + 1
    this.#top = Math.max(0, Math.min(this.#top, count - this.#page))
  }
}

/** `3`, `3-5`; none where it is no number. */
function numbersIn(word: string): number[] {
  const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(word) ?? []
  if (first === undefined) return []
  return Array.from({ length: Math.max(0, Number(last) - Number(first) + 1) }, (_, index) => Number(first) + index)
}
