/** How many keep `process.exit` from ending the process; `end` is its own when one does. */
let guards = 0
let end: typeof process.exit | null = null

/**
 * While it lasts, `process.exit` throws where it is called: a plugin's whim must not end a run that holds a stack down, nor make
 * one that did nothing look like one that did its work. Gives back what ends it, to be called once.
 */
export function forbidExit(): () => void {
  guards++
  if (end === null) {
    end = Reflect.get(process, 'exit')
    Reflect.set(process, 'exit', (code?: number | string | null): never => {
      throw new Error(`it called process.exit(${code ?? ''}), which stackbk does not let it`)
    })
  }
  return () => {
    if (--guards > 0 || end === null) return
    Reflect.set(process, 'exit', end)
    end = null
  }
}

/** What wrote to standard output before it was reserved; `null` where it is not. */
let reserved: ((text: string, onWritten: () => void) => unknown) | null = null

/**
 * From here on whatever is written to standard output comes out on standard error, so that a plugin that prints does not get
 * between the document there and its reader; only {@link writeDocument} still reaches it. Gives back what ends it.
 */
export function reserveStandardOutput(): () => void {
  if (reserved !== null) return () => {}
  const { stdout } = process
  const before = Object.getOwnPropertyDescriptor(stdout, 'write')
  const write = Reflect.get(stdout, 'write')
  reserved = (text, onWritten) => Reflect.apply(write, stdout, [text, onWritten])
  Reflect.set(stdout, 'write', (...args: Parameters<typeof stdout.write>) => process.stderr.write(...args))
  return () => {
    Reflect.deleteProperty(stdout, 'write')
    if (before !== undefined) Object.defineProperty(stdout, 'write', before)
    reserved = null
  }
}

/** To standard output, also where that is reserved. `onWritten` is called when all of it has been. */
export function writeDocument(text: string, onWritten: () => void = () => {}): void {
  if (reserved === null) process.stdout.write(text, onWritten)
  else reserved(text, onWritten)
}

/**
 * For the time before a command begins and after it has ended, when nobody else listens: what a plugin throws then where nobody
 * can catch it must not end the process, nor change how a run ended that is over.
 */
export function passOverLateErrors(): void {
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') > 1) return
    process.stderr.write(`warning: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode ??= 1
  })
}

/** So long what is over may keep the process alive. Milliseconds. */
const endingMs = 2_000

/**
 * For the very end, with everything written and every lock released: a timer or connection that a plugin has left open must not
 * keep the process, for a timer unit that never ends never starts again. Where nothing is left open this does nothing: its own
 * timer keeps nobody alive. The one place that ends the process.
 */
export function endInSpiteOfLeftovers(): void {
  // eslint-disable-next-line no-restricted-properties -- nothing is left to unwind
  setTimeout(() => process.exit(), endingMs).unref()
}
