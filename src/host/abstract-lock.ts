import { connect, createServer, type Server, type Socket } from 'node:net'

/** Who holds a lock, in its own words. */
export interface LockHolder {
  readonly pid: number
  /** Such as `stackbk backup`. */
  readonly command: string
  /** ISO 8601 UTC. */
  readonly startedAt: string
}

export interface AbstractLock {
  release(): Promise<void>
}

/** `heldBy` is `null` for a holder that does not answer within a second. */
export type LockAttempt = AbstractLock | { readonly heldBy: LockHolder | null }

const answerLimitMs = 1000

/**
 * Takes a lock that the kernel releases with the process, however that ends: a listening socket in Linux' abstract
 * namespace, which is no file, the same for every user of this host (of one network namespace). `name` has at most 100
 * bytes. Whoever connects is told who holds it. Throws the system's error for anything but "held".
 */
export async function acquireAbstractLock(name: string, command: string): Promise<LockAttempt> {
  return waitForAbstractLock(name, command, 0)
}

/** The same, waiting for whoever holds it, at most so long. Woken by the release itself, not by polling. */
export async function waitForAbstractLock(name: string, command: string, limitMs: number): Promise<LockAttempt> {
  const begin = performance.now()
  const holder: LockHolder = { pid: process.pid, command, startedAt: new Date().toISOString() }
  for (;;) {
    const lock = await listen(name, holder)
    if (lock) return lock
    const conversation = await converse(name)
    const waited = performance.now() - begin
    if (conversation === null) {
      // Released between our two looks, so look again; a name that is bound and never listened on is held by no stackbk.
      if (waited < limitMs + answerLimitMs) continue
      return { heldBy: null }
    }
    const isReleased = await closed(conversation.socket, limitMs - waited)
    conversation.socket.destroy()
    if (!isReleased) return { heldBy: conversation.holder }
  }
}

/** `null` when somebody else listens under this name. */
function listen(name: string, holder: LockHolder): Promise<AbstractLock | null> {
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
    server.listen({ path: `\0${name}` }, () => {
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

/** `null` when nobody listens any more. */
function converse(name: string): Promise<{ socket: Socket; holder: LockHolder | null } | null> {
  return new Promise((resolve) => {
    const socket = connect({ path: `\0${name}` })
    let text = ''
    const finish = (holder: LockHolder | null): void => {
      clearTimeout(limit)
      resolve({ socket, holder })
    }
    const limit = setTimeout(finish, answerLimitMs, null)
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += String(chunk)
      if (text.includes('\n')) finish(parseHolder(text))
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(limit)
      // Anything else (too many wait already) is no sign that it is free.
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' ? null : { socket, holder: null })
    })
    socket.on('close', () => {
      clearTimeout(limit)
      resolve(null)
    })
  })
}

function closed(socket: Socket, limitMs: number): Promise<boolean> {
  if (limitMs <= 0) return Promise.resolve(false)
  if (socket.closed) return Promise.resolve(true)
  return new Promise((resolve) => {
    const limit = setTimeout(resolve, limitMs, false)
    socket.on('close', () => {
      clearTimeout(limit)
      resolve(true)
    })
  })
}

function parseHolder(text: string): LockHolder | null {
  try {
    const { pid, command, startedAt } = JSON.parse(text.slice(0, text.indexOf('\n'))) as Partial<LockHolder>
    return typeof pid === 'number' && typeof command === 'string' && typeof startedAt === 'string' ? { pid, command, startedAt } : null
  } catch {
    return null
  }
}
