import { Listr, type ListrTaskWrapper, type DefaultRenderer, type SimpleRenderer } from 'listr2'
import type { Progress } from '@stackbk/contract'

import type { Reporter, StackPhase } from '../stages/reporter.js'
import { progressText } from './progress-text.js'
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

  begin(task: Task): Promise<void> {
    this.#task = task
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
    if (this.#task !== null) this.#task.output = text
  }

  /** The first end counts. Without a text the last phase stands. */
  end(isGood: boolean, text?: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#text = text ?? this.#phase
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

/** One listr2 list at a time: a row a stack, then a row for what belongs to no stack. For a terminal. */
export function listReporter(): Reporter {
  let rows = new Map<string, Row>()
  let running: Promise<unknown> | null = null
  let step: Row | null = null

  const begin = (names: readonly string[]): void => {
    rows = new Map(names.map((name) => [name, new Row(name)]))
    const list = new Listr(
      names.map((name) => ({ title: name, task: (_: unknown, task: Task): Promise<void> | undefined => rows.get(name)?.begin(task) })),
      {
        // Its own listener calls process.exit(127), which would leave stacks down.
        registerSignalListeners: false,
        exitOnError: false,
        rendererOptions: { collapseErrors: false, collapseSubtasks: false, showErrorMessage: false },
      },
    )
    running = list.run().catch(() => {})
  }
  const finish = async (): Promise<void> => {
    for (const row of rows.values()) row.end(true)
    step?.end(true)
    step = null
    await running
    running = null
  }
  const stepRow = (title: string): Row => {
    if (step === null) {
      void finish()
      step = new Row('')
      const row = step
      const list = new Listr([{ title, task: (_: unknown, task: Task): Promise<void> => row.begin(task) }], { registerSignalListeners: false, exitOnError: false })
      running = Promise.all([running, list.run().catch(() => {})])
    }
    return step
  }
  const current = (): Row | undefined => step ?? [...rows.values()].at(0)
  return {
    stacks: (names) => begin(names),
    stackPhase: (name: string, phase: StackPhase, progress) => {
      const row = rows.get(name)
      if (phase === 'verifying') stepRow('verifying').show('verifying the new snapshots', undefined)
      else if (row !== undefined) row.show(phase, progress)
      else stepRow(name).show(`${name}: ${phase}`, progress)
    },
    stackDone: (name, { status, summary }) => rows.get(name)?.end(status === 'ok' || status === 'skipped', summary === '' ? status : `${status}: ${summary}`),
    step: (title, progress) => stepRow(title).show(title, progress),
    notice: (text) => {
      if (running === null) process.stdout.write(`${text}\n`)
      else current()?.remark(text)
    },
    warning: (text) => {
      if (running === null) process.stderr.write(`warning: ${text}\n`)
      else current()?.remark(text)
    },
    close: finish,
  }
}
