import { displayPath } from '@stackbk/contract'

import { withLocalTimes } from './local-time.js'
import { wrapped } from './text-width.js'

/** Returns a text as people see it on this stream: names of files readable, times local, and in a terminal no line broken inside a word. */
export function shownText(text: string, stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>): string {
  const readable = displayPath(withLocalTimes(text))
  // A terminal that does not know its size says 0.
  return stream.isTTY && stream.columns > 0 ? wrapped(readable, stream.columns) : readable
}
