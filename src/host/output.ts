import { closeSync } from 'node:fs'

/** Standard output and error, for as long as a run lasts. */
export interface Output {
  /** Why something could not be written; `null` where nothing is lost. A reader that went away on purpose (`| head`) is no loss. */
  lost(): string | null
  /** Last of all. */
  close(): void
}

const streams = [process.stdout, process.stderr]

/**
 * A reader that went away (`| head`), a closed terminal (EIO) or a full disk under the log must not end a run that holds a
 * stack down. oclif listens too and throws for everything but EPIPE, which would end the process: its listener goes.
 */
export function surviveLostOutput(): Output {
  let reason: string | null = null
  let hasHungUp = false
  for (const stream of streams) {
    stream.removeAllListeners('error')
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EIO') hasHungUp = true
      if (stream === process.stdout && isLoss(error)) reason ??= error.message
    })
  }
  return {
    lost: () => reason,
    close: () => {
      if (hasHungUp) closeStandardStreams()
    },
  }
}

/** Node gives a terminal its settings back at the end, and aborts (134) where there is none any more; a closed one it leaves. */
function closeStandardStreams(): void {
  for (const descriptor of [0, 1, 2]) {
    try {
      closeSync(descriptor)
    } catch {
      // It was closed from the beginning.
    }
  }
}

/** Thrown by a listener of another copy of oclif, which a plugin may bring at any time. */
export function isOutputError(error: unknown): boolean {
  const { syscall, code } = (error ?? {}) as NodeJS.ErrnoException
  return syscall === 'write' && ['EPIPE', 'EIO', 'ENOSPC', 'EDQUOT', 'EBADF', 'ECONNRESET'].includes(code ?? '')
}

/** After a first failure Node closes the stream and refuses the rest: that says nothing new. */
function isLoss({ code }: NodeJS.ErrnoException): boolean {
  return code !== 'EPIPE' && code !== 'ERR_STREAM_DESTROYED'
}
