import { isOutputError } from './output.js'

/** What nobody caught, such as a rejected promise that a plugin dropped. */
export interface StrayErrors {
  /** The first; `null` for none. */
  first(): Error | null
  dispose(): void
}

/**
 * Without this, an error that nobody catches ends the process at once, and with it leaves down the stack that is stopped.
 * With it the run is ended in good order.
 *
 * `isNoMatter`: of an error that need not end it.
 */
export function catchStrayErrors(onFirst: (error: Error) => void, isNoMatter: (error: Error) => boolean = () => false): StrayErrors {
  let first: Error | null = null
  const listener = (thrown: unknown): void => {
    if (first !== null || isOutputError(thrown) || isClosedTwice(thrown)) return
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (isNoMatter(error)) return
    first = error
    onFirst(first)
  }
  const events = ['uncaughtException', 'unhandledRejection'] as const
  for (const event of events) process.on(event, listener)
  return {
    first: () => first,
    dispose: () => {
      for (const event of events) process.off(event, listener)
    },
  }
}

/** enquirer 2.4.1 closes its readline twice, which newer Nodes throw at. */
function isClosedTwice(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | null)?.code === 'ERR_USE_AFTER_CLOSE'
}
