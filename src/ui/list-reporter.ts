import { Listr, type ListrTaskWrapper, type DefaultRenderer, type SimpleRenderer } from 'listr2'
import type { Progress } from '@stackbk/contract'

import type { Reporter, StackPhase } from '../stages/reporter.js'
import { withLocalTimes } from './local-time.js'
import { progressText } from './progress-text.js'
import { shownText } from './shown-text.js'
import { fitted } from './text-width.js'

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>

/** The sign, the blank behind it, and a column that stays free: a terminal wraps when its last one is written. */
const marginColumns = 4
const columnsWithoutTerminal = 80

/** A row of the list, from before it is its turn until it has ended. */
class Row {
  readonly #name: string
  readonly ended: Promise<void>
  #task: Task | null = null
  #text = ''
  #remark = ''
  #beganAt = Date.now()
  #phase = ''
  #hasEnded = false
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor(name: string) {
    this.#name = name
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // The list looks at it only when it is its turn.
    this.ended.catch(() => {})
  }

  get isOpen(): boolean {
    return !this.#hasEnded
  }

  begin(task: Task): Promise<void> {
    this.#task = task
    if (this.#remark !== '') task.output = this.#remark
    this.#draw()
    return this.ended
  }

  show(phase: string, progress: Progress | undefined): void {
    if (this.#hasEnded) return
    if (phase !== this.#phase) {
      this.#phase = phase
      this.#beganAt = Date.now()
    }
    const figures = progressText(progress, this.#beganAt, Date.now())
    this.#text = figures === '' ? phase : `${phase}  ${figures}`
    this.#draw()
  }

  remark(text: string): void {
    this.#remark = withLocalTimes(text)
    if (this.#task !== null) this.#task.output = this.#remark
  }

  /** The first end counts. Without a text the last phase stands. */
  end(isGood: boolean, text?: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#text = text === undefined ? this.#phase : withLocalTimes(text)
    this.#draw()
    if (isGood) this.#resolve()
    else this.#reject(new Error(this.#title()))
  }

  #draw(): void {
    if (this.#task !== null) this.#task.title = this.#title()
  }

  #title(): string {
    return fitted([this.#name, this.#text].filter((part) => part !== '').join('  '), (process.stdout.columns || columnsWithoutTerminal) - marginColumns)
  }
}

/**
 * Shows what happens in listr2 lists, for a terminal: one with a row for each stack, and one for what belongs to no stack. There
 * is never more than one list on the screen: two would paint over each other's rows.
 */
export function listReporter(): Reporter {
  let rows = new Map<string, Row>()
  let step: Row | null = null
  /** Ends when all lists that were begun have ended, and what was said after them is written. */
  let painted: Promise<void> = Promise.resolve()

  const paint = (list: readonly (readonly [name: string, row: Row])[]): void => {
    const tasks = list.map(([title, row]) => ({ title, task: (_: unknown, task: Task): Promise<void> => row.begin(task) }))
    painted = painted
      .then(async () => {
        await new Listr(tasks, {
          // Its own listener calls process.exit(127), which would leave stacks down.
          registerSignalListeners: false,
          exitOnError: false,
          rendererOptions: { collapseErrors: false, collapseSubtasks: false, showErrorMessage: false },
        }).run()
      })
      .catch(() => {})
  }
  const openRow = (): Row | undefined => (step?.isOpen === true ? step : [...rows.values()].find((row) => row.isOpen))
  const endStep = (): void => {
    step?.end(true)
    step = null
  }
  /** In a list of its own, or below the first stack that has not ended. */
  const showStep = (title: string, progress?: Progress): void => {
    if (step === null) {
      const row = openRow()
      if (row !== undefined) return row.remark(withFigures(title, progress))
      step = new Row('')
      paint([[title, step]])
    }
    step.show(title, progress)
  }
  /** Below the row that is being worked on; where there is none, on a line of its own once the screen is free. */
  const say = (stream: NodeJS.WriteStream, text: string): void => {
    const row = openRow()
    if (row === undefined) painted = painted.then(() => void stream.write(`${shownText(text, stream)}\n`))
    else row.remark(text)
  }
  return {
    stacks: (names) => {
      endStep()
      for (const row of rows.values()) row.end(true)
      rows = new Map(names.map((name) => [name, new Row(name)]))
      paint([...rows])
    },
    stackPhase: (name: string, phase: StackPhase, progress) => {
      const row = rows.get(name)
      if (phase === 'verifying') showStep('verifying the new snapshots')
      else if (row?.isOpen === true) row.show(phase, progress)
      else if (row === undefined) showStep(`${name}: ${phase}`, progress)
    },
    stackDone: (name, { status, summary }) => rows.get(name)?.end(status === 'ok' || status === 'skipped', summary === '' ? status : `${status}: ${summary}`),
    step: showStep,
    notice: (text) => say(process.stdout, text),
    warning: (text) => say(process.stderr, `warning: ${text}`),
    close: async () => {
      endStep()
      for (const row of rows.values()) row.end(true)
      await painted
    },
  }
}

function withFigures(title: string, progress: Progress | undefined): string {
  const figures = progressText(progress, Date.now(), Date.now())
  return figures === '' ? title : `${title}  ${figures}`
}
