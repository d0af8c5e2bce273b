import enquirer from 'enquirer'

import { StackbkError } from '../errors.js'
import { FramePainter } from './frame-painter.js'
import type { Key, PlainQuestion, Screen, Size } from './screen.js'
import { SecretField } from './secret-field.js'
import { shownText } from './shown-text.js'
import { isDumb, isTerminal, isUnicode } from './terminal.js'
import { YesOrNo } from './yes-or-no.js'

/**
 * - `answer`: what was asked for
 * - `back`: Esc
 * - `cancelled`: Ctrl-C, Ctrl-D
 * - `ended`: a signal, or a terminal that is closed, which counts as HUP: nothing more can be asked
 */
export type Asked<T> = { readonly kind: 'answer'; readonly value: T } | { readonly kind: 'back' | 'cancelled' | 'ended' }

interface PressedKey {
  readonly name?: string
  readonly ctrl?: boolean
  readonly meta?: boolean
}

/** The part of enquirer's base class that is used, which its types leave out. */
interface Keyboard {
  /** Gives the terminal back. */
  stop: () => void
  start(): void
  close(): Promise<void>
  keypress(input: string | undefined, key: PressedKey): Promise<void>
  emit(event: 'close'): boolean
  once(event: 'close', listener: () => void): this
  off(event: 'close', listener: () => void): this
}
const { Prompt } = enquirer as unknown as { readonly Prompt: new (options: object) => Keyboard }

const endings = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const
const lost = ['close', 'end', 'error'] as const

/**
 * Shows a screen until it is answered or left. Whoever calls this catches signals (`src/host/signals.ts`): a signal ends
 * the question, and what it means for the run is theirs to say. Throws `usage` where there is no terminal.
 */
export async function ask<T>(screen: Screen<T>): Promise<Asked<T>> {
  if (!isTerminal()) throw new StackbkError({ kind: 'usage', code: 'no-terminal', message: 'this command asks questions and needs a terminal', fix: 'Give the answer by a flag: see --help' })
  if (isDumb() && screen.plain !== undefined) return await askByLines(screen.plain)
  return await new FramePrompt(screen).ask()
}

/** A question to answer with yes or no. Ctrl-C, Ctrl-D, Esc and a closed terminal cancel it. `flag`: what answers it with yes. */
export async function confirm(message: string, flag = '--yes'): Promise<'yes' | 'no' | 'cancelled'> {
  const asked = await askYesOrNo(message, flag)
  return asked.kind !== 'answer' ? 'cancelled' : asked.value ? 'yes' : 'no'
}

/** The same, where Esc means something else than Ctrl-C. */
export async function askYesOrNo(message: string, flag = ''): Promise<Asked<boolean>> {
  if (isTerminal()) process.stdout.write(`${shownText(message, process.stdout)}\n`)
  return await ask(new YesOrNo({ flag }))
}

/** A question whose answer is not shown. `null`: cancelled, in the same ways as {@link confirm}. */
export async function askSecret(message: string): Promise<string | null> {
  const asked = await ask(new SecretField({ title: message }))
  return asked.kind === 'answer' ? asked.value : null
}

/**
 * enquirer's keyboard with our own pictures. What of enquirer 2.4.1 is gone round here:
 * - Ctrl-C rejects with an empty string, Ctrl-D never settles: both end in `cancelled`;
 * - its readline closes itself at Ctrl-C, and from Node 24.2 on closing it once more throws ERR_USE_AFTER_CLOSE;
 * - a hidden cursor makes it call `process.exit` at a signal: the cursor is hidden by ourselves;
 * - at Ctrl-Z it leaves the cursor hidden, and after `fg` its readline has paused the input.
 */
class FramePrompt<T> extends Prompt implements Keyboard {
  readonly #screen: Screen<T>
  readonly #painter = new FramePainter()
  #resolve: (asked: Asked<T>) => void = () => {}
  #isOver = false
  #isPrinted = false

  constructor(screen: Screen<T>) {
    super({ name: 'frame', message: '' })
    this.#screen = screen
  }

  async ask(): Promise<Asked<T>> {
    const repaint = (): void => this.#paint()
    const resume = (): void => void setImmediate(() => this.#resume())
    const stopListening = onceUnusable(() => this.#end({ kind: 'ended' }))
    // Before the readline's own, which stops the process.
    const suspend = (_text: string | undefined, key: PressedKey): void => {
      if (key.ctrl === true && key.name === 'z' && !isDumb()) process.stdout.write(this.#painter.erase(sizeOfTerminal().columns))
    }
    process.on('SIGCONT', resume)
    process.stdout.on('resize', repaint)
    try {
      return await new Promise<Asked<T>>((resolve) => {
        this.#resolve = resolve
        this.#listen()
        process.stdin.prependListener('keypress', suspend)
        this.#paint()
      })
    } finally {
      stopListening()
      process.off('SIGCONT', resume)
      process.stdin.off('keypress', suspend)
      process.stdout.off('resize', repaint)
    }
  }

  override async keypress(input: string | undefined, key: PressedKey): Promise<void> {
    if (this.#isOver) return
    const pressed = keyOf(input, key)
    if (pressed.ctrl && (pressed.name === 'c' || pressed.name === 'd')) {
      this.#end({ kind: 'cancelled' })
      return
    }
    const step = this.#screen.press(pressed)
    if (step.kind === 'answer' || step.kind === 'back') this.#end(step)
    else this.#paint()
  }

  /** enquirer's own writes what it believes to have painted. */
  override async close(): Promise<void> {
    this.emit('close')
  }

  #listen(): void {
    this.start()
    const { stop } = this
    this.off('close', stop)
    this.once('close', () => {
      try {
        stop()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_USE_AFTER_CLOSE') throw error
      }
    })
  }

  #resume(): void {
    if (this.#isOver) return
    process.stdin.setRawMode(true)
    process.stdin.resume()
    this.#paint()
  }

  #paint(): void {
    if (this.#isOver) return
    const size = sizeOfTerminal()
    const frame = this.#screen.frame(size)
    const shown = isUnicode() ? frame : { ...frame, rows: frame.rows.map((row) => row.replaceAll('…', '.')) }
    if (!isDumb()) process.stdout.write(this.#painter.paint(shown, size.columns))
    else if (!this.#isPrinted) process.stdout.write(shown.rows.join('\n'))
    this.#isPrinted = true
  }

  #end(asked: Asked<T>): void {
    if (this.#isOver) return
    this.#isOver = true
    const told = asked.kind === 'answer' ? this.#screen.told(asked.value) : ''
    const before = isDumb() ? '\n' : this.#painter.erase(sizeOfTerminal().columns)
    process.stdout.write(before + (told === '' ? '' : `${told}\n`))
    void this.close()
    this.#resolve(asked)
  }
}

/** Where the cursor cannot be moved: the question is printed, and a whole line is read. */
async function askByLines<T>(question: PlainQuestion<T>): Promise<Asked<T>> {
  const { createInterface } = await import('node:readline')
  const lines = createInterface({ input: process.stdin, terminal: false })
  const print = (): void => void process.stdout.write(`${question.question().join('\n')} `)
  try {
    return await new Promise<Asked<T>>((resolve) => {
      const end = (asked: Asked<T>): void => {
        stopListening()
        resolve(asked)
      }
      const stopListening = onceUnusable(() => end({ kind: 'ended' }))
      // Ctrl-D has ended the input for good.
      lines.once('close', () => end({ kind: 'ended' }))
      lines.on('line', (line) => {
        const step = question.read(line)
        if (step.kind === 'answer' || step.kind === 'back') end(step)
        else print()
      })
      print()
    })
  } finally {
    lines.close()
  }
}

/** Calls `end` when the terminal is closed or a signal comes; gives the function that ends the listening. */
function onceUnusable(end: () => void): () => void {
  // The end of the input may be seen before the signal that comes with it.
  const hangUp = (): void => void process.emit('SIGHUP', 'SIGHUP')
  const events = isDumb() ? lost.filter((event) => event !== 'end') : lost
  for (const name of endings) process.on(name, end)
  for (const event of events) process.stdin.on(event, hangUp)
  return () => {
    for (const name of endings) process.off(name, end)
    for (const event of events) process.stdin.off(event, hangUp)
  }
}

/** Some terminals say 0 where they do not know. */
function sizeOfTerminal(): Size {
  return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }
}

function keyOf(input: string | undefined, { name = '', ctrl = false, meta = false }: PressedKey): Key {
  const text = input ?? ''
  const writes = !ctrl && !meta && text !== '' && !/\p{Cc}/u.test(text)
  return { name: meta && name !== 'escape' ? '' : name, ctrl, text: writes ? text : '' }
}
