import type { Writable } from 'node:stream'

import type { ToolRequest } from '@stackbk/contract'

type InputStream = Extract<NonNullable<ToolRequest['input']>, AsyncIterable<unknown>>

export function isStream(input: ToolRequest['input']): input is InputStream {
  return typeof input === 'object' && Symbol.asyncIterator in input
}

/**
 * Writes a stream to the standard input of a tool, no faster than the tool reads it, and closes it. Ends without an error when the
 * tool has closed its input or has ended: its exit code says whether it had enough. Rejects with what the stream throws.
 */
export async function writeStream(input: InputStream, stdin: Writable): Promise<void> {
  const parts = input[Symbol.asyncIterator]()
  let isClosed = false
  stdin.once('close', () => {
    isClosed = true
    parts.return?.().then(undefined, () => {})
  })
  // A tool that ends before it has read everything: EPIPE, and then `close`.
  stdin.on('error', () => {})
  try {
    for (let part = await parts.next(); !isClosed && part.done !== true; part = await parts.next()) {
      if (!stdin.write(part.value)) await untilWritable(stdin)
    }
  } catch (error) {
    if (!isClosed) throw error
  }
  stdin.end()
}

function untilWritable(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stdin.off('drain', settle)
      stdin.off('close', settle)
      resolve()
    }
    stdin.once('drain', settle)
    stdin.once('close', settle)
  })
}
