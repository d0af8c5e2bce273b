import { connect, createServer, type Server, type Socket } from 'node:net'

/** Who holds a lock, as that process says. Another user may say anything: the length is limited, and nothing is decided by it. */
export interface LockHolder {
  readonly pid: number
  /** Such as `stackbk backup`. */
  readonly command: string
  /** ISO 8601 UTC. */
  readonly startedAt: string
}

/** A lock that this process has. */
export interface HeldLock {
  release(): Promise<void>
}

/** How long a holder may take to say who it is. Milliseconds. */
export const answerLimitMs = 1000

/** A holder says who it is in one line. Characters. */
const longestAnswer = 1024
const longestCommand = 80

/** Listens at a path or an abstract name (`\0name`). `null` if another process has bound that name. */
export function serveLock(address: string, holder: LockHolder): Promise<HeldLock | null> {
  const visitors = new Set<Socket>()
  const server = createServer((visitor) => {
    visitors.add(visitor)
    visitor.unref()
    visitor.on('error', () => visitor.destroy())
    visitor.on('close', () => visitors.delete(visitor))
    // Stays open: its end tells a waiting visitor that the lock is free.
    visitor.write(`${JSON.stringify(holder)}\n`)
  })
  return new Promise((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else reject(error)
    })
    server.listen({ path: address }, () => {
      server.unref()
      resolve({ release: () => close(server, visitors) })
    })
  })
}

/** The name is free before the first visitor is woken. */
function close(server: Server, visitors: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve()
      return
    }
    server.close(() => {
      resolve()
    })
    for (const visitor of visitors) visitor.destroy()
  })
}

/** Asks who listens there; the socket stays open and ends with the lock. `null` if no process listens. */
export function askHolder(address: string): Promise<{ socket: Socket; holder: LockHolder | null } | null> {
  return new Promise((resolve) => {
    const socket = connect({ path: address })
    let text = ''
    const finish = (holder: LockHolder | null): void => {
      clearTimeout(limit)
      resolve({ socket, holder })
    }
    const limit = setTimeout(finish, answerLimitMs, null)
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      if (text.length > longestAnswer) return
      text += String(chunk)
      if (text.includes('\n')) finish(parseHolder(text.slice(0, longestAnswer)))
      else if (text.length > longestAnswer) finish(null)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(limit)
      // Any other error (its queue is full) is no sign that the name is free.
      resolve(['ECONNREFUSED', 'ECONNRESET', 'ENOENT'].includes(error.code ?? '') ? null : { socket, holder: null })
    })
    socket.on('close', () => {
      clearTimeout(limit)
      resolve(null)
    })
  })
}

/** Waits until the other end is gone, at most so long. Also ends with the signal. */
export function untilClosed(socket: Socket, limitMs: number, signal?: AbortSignal): Promise<boolean> {
  if (limitMs <= 0 || signal?.aborted === true) return Promise.resolve(false)
  if (socket.closed) return Promise.resolve(true)
  return new Promise((resolve) => {
    const end = (isClosed: boolean): void => {
      clearTimeout(limit)
      signal?.removeEventListener('abort', give)
      resolve(isClosed)
    }
    const give = (): void => end(false)
    const limit = setTimeout(end, limitMs, false)
    signal?.addEventListener('abort', give, { once: true })
    socket.on('close', () => end(true))
  })
}

function parseHolder(text: string): LockHolder | null {
  try {
    const { pid, command, startedAt } = JSON.parse(text.slice(0, text.indexOf('\n'))) as Partial<LockHolder>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || typeof command !== 'string' || typeof startedAt !== 'string') return null
    const moment = new Date(startedAt)
    return Number.isNaN(moment.getTime()) ? null : { pid, command: printableLine(command), startedAt: moment.toISOString() }
  } catch {
    return null
  }
}

/** Control characters and those that change the direction of writing could make a terminal show something else. */
function printableLine(text: string): string {
  const printable = text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '\ufffd')
  const characters = [...printable]
  return characters.length <= longestCommand ? printable : `${characters.slice(0, longestCommand).join('')}...`
}
