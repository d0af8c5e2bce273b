import { readFileSync } from 'node:fs'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'

import { perform } from '../programs/file-operations.mjs'
import { SlowMounts, walk } from '../programs/path-walk.mjs'

/** How long a file system may take for one answer. A disk that was put to sleep needs some ten seconds to wake up. */
export const answerLimitMs = 15_000

/** The list of mounts is read again after this time. */
const mountsKeptMs = 200

/** What a file system says of a path. Times in milliseconds since the epoch. */
export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'link' | 'socket' | 'other'
  readonly dev: number
  readonly ino: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
}

export interface FolderEntry {
  readonly name: string
  readonly kind: FileFacts['kind']
}

export interface FileLimit {
  /** Milliseconds for one answer. Default: {@link answerLimitMs}. */
  readonly limitMs?: number
}

interface Operations {
  stat: FileFacts
  lstat: FileFacts
  realpath: string
  readlink: string
  readdir: readonly FolderEntry[]
  hasEntries: boolean
  readFile: string
  access: null
  statfs: { readonly type: number; readonly bavail: number; readonly bsize: number }
}

/**
 * Says of an error that nothing is known of the path, not even that it is not there: its file system did not answer, or has
 * lost its server, its program or its disk.
 */
export function isUnknown(error: unknown): boolean {
  return unknownCodes.includes((error as NodeJS.ErrnoException | null)?.code ?? '')
}

const unanswered = 'ETIMEDOUT'
const unknownCodes: readonly string[] = [unanswered, 'ENOTCONN', 'ESTALE', 'EIO', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETUNREACH', 'ECHILD']

/**
 * Asks file systems without ever hanging on one. A network file system whose server is gone, a FUSE file system whose program
 * is stuck and a disk that has stalled hold up whoever asks them, for good and beyond any signal. So paths on the root file
 * system and in memory are asked directly, and all others by a child process that is given up when it does not answer within
 * the limit. The mount that did not answer is remembered, and what is asked of it next fails at once, until it answers.
 *
 * Everything throws the file system's own error, and one with the code `ETIMEDOUT` where there was no answer ({@link isUnknown}). The methods whose names end in `Now` wait without the event loop, as those of `node:fs` do.
 */
export class Files {
  readonly #limitMs: number
  #mounts: { readonly list: SlowMounts; readonly readAt: number } | null = null
  #relay: Relay | null = null
  /** Mount points that did not answer. */
  readonly #hanging = new Set<string>()

  constructor({ limitMs = answerLimitMs }: FileLimit = {}) {
    this.#limitMs = limitMs
  }

  stat = (path: string, limit?: FileLimit): Promise<FileFacts> => this.#ask('stat', path, limit)
  lstat = (path: string, limit?: FileLimit): Promise<FileFacts> => this.#ask('lstat', path, limit)
  realPath = (path: string, limit?: FileLimit): Promise<string> => this.#ask('realpath', path, limit)
  readFolder = (path: string, limit?: FileLimit): Promise<readonly FolderEntry[]> => this.#ask('readdir', path, limit)
  /** Whether anything is in a folder, however much it is. */
  hasEntries = (path: string, limit?: FileLimit): Promise<boolean> => this.#ask('hasEntries', path, limit)
  readText = (path: string, limit?: FileLimit): Promise<string> => this.#ask('readFile', path, limit)
  fileSystem = (path: string, limit?: FileLimit): Promise<Operations['statfs']> => this.#ask('statfs', path, limit)
  async access(path: string, mode: number, limit?: FileLimit): Promise<void> {
    await this.#ask('access', path, limit, mode)
  }
  /** False also where the file system did not answer. */
  isThere = (path: string, limit?: FileLimit): Promise<boolean> => this.stat(path, limit).then(() => true, () => false)

  statNow = (path: string, limit?: FileLimit): FileFacts => this.#askNow('stat', path, limit)
  lstatNow = (path: string, limit?: FileLimit): FileFacts => this.#askNow('lstat', path, limit)
  realPathNow = (path: string, limit?: FileLimit): string => this.#askNow('realpath', path, limit)
  readFolderNow = (path: string, limit?: FileLimit): readonly FolderEntry[] => this.#askNow('readdir', path, limit)
  readTextNow = (path: string, limit?: FileLimit): string => this.#askNow('readFile', path, limit)
  fileSystemNow = (path: string, limit?: FileLimit): Operations['statfs'] => this.#askNow('statfs', path, limit)
  accessNow(path: string, mode: number, limit?: FileLimit): void {
    this.#askNow('access', path, limit, mode)
  }
  /** False also where the file system did not answer. */
  isThereNow(path: string, limit?: FileLimit): boolean {
    try {
      this.statNow(path, limit)
      return true
    } catch {
      return false
    }
  }

  /**
   * Finds out which of these paths answer, all side by side: those that hang cost one limit together, and not one each when they
   * are asked one after another later on.
   */
  probeNow(paths: readonly string[], { limitMs = this.#limitMs }: FileLimit = {}): void {
    const questions = paths.flatMap((path): Question[] => {
      const mountPoint = this.slowMountOf(path)
      return mountPoint === null || this.#hanging.has(mountPoint) ? [] : [{ operation: 'stat', path, detail: undefined, mountPoint, limitMs }]
    })
    const oneOfEach = [...new Map(questions.map((question) => [question.mountPoint, question])).values()]
    if (oneOfEach.length > 1) this.#relayed().askAllNow(oneOfEach)
  }

  /** The mount that has to answer for a path and may not: `null` for a path of the root file system or of memory. */
  slowMountOf(path: string): string | null {
    let found: string | null = null
    walk(path, this.#slowMounts(), (mountPoint) => {
      found = mountPoint
      return false
    })
    return found
  }

  /** Whether the mount on the way to this path has been given up and has not answered since. */
  isHanging(path: string): boolean {
    const mountPoint = this.slowMountOf(path)
    return mountPoint !== null && this.#hanging.has(mountPoint)
  }

  async #ask<O extends keyof Operations>(operation: O, path: string, { limitMs = this.#limitMs }: FileLimit = {}, detail?: number): Promise<Operations[O]> {
    const mountPoint = this.#mountToAsk(path)
    if (mountPoint === null) return perform(operation, path, detail) as Operations[O]
    return (await this.#relayed().ask({ operation, path, detail, mountPoint, limitMs })) as Operations[O]
  }

  #askNow<O extends keyof Operations>(operation: O, path: string, { limitMs = this.#limitMs }: FileLimit = {}, detail?: number): Operations[O] {
    const mountPoint = this.#mountToAsk(path)
    if (mountPoint === null) return perform(operation, path, detail) as Operations[O]
    return this.#relayed().askNow({ operation, path, detail, mountPoint, limitMs }) as Operations[O]
  }

  /** Throws where it is known to hang. */
  #mountToAsk(path: string): string | null {
    const mountPoint = this.slowMountOf(path)
    if (mountPoint !== null && this.#hanging.has(mountPoint)) throw noAnswer(path, mountPoint, null)
    return mountPoint
  }

  #relayed(): Relay {
    return (this.#relay ??= new Relay(this.#hanging))
  }

  #slowMounts(): SlowMounts {
    const now = performance.now()
    if (this.#mounts === null || now - this.#mounts.readAt > mountsKeptMs) this.#mounts = { list: new SlowMounts(mountinfo()), readAt: now }
    return this.#mounts.list
  }
}

/** The one that all of this process share, with what it knows of file systems that hang. */
export const files = new Files()

interface Question {
  readonly operation: keyof Operations
  readonly path: string
  readonly detail: number | undefined
  readonly mountPoint: string
  readonly limitMs: number
}

type Message =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } }
  | { readonly id: number; readonly hangs: string }
  | { readonly answers: string }
  | { readonly started: number }
  | { readonly ended: number }

interface Pending extends Question {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Beyond a question's own limit, after which the worker itself does not answer: on a machine that is short of memory, say. */
const relayMarginMs = 10_000

/** The worker that hands questions to child processes: see programs/question-relay.cjs. */
class Relay {
  readonly #hanging: Set<string>
  readonly #port: MessagePort
  /** Counts messages of the worker, so that they can be waited for without the event loop. */
  readonly #bell = new Int32Array(new SharedArrayBuffer(4))
  readonly #pending = new Map<number, Pending>()
  readonly #children = new Set<number>()
  #last = 0

  constructor(hanging: Set<string>) {
    this.#hanging = hanging
    const { port1, port2 } = new MessageChannel()
    const program = new URL('../programs/file-questions.mjs', import.meta.url).href
    const worker = new Worker(new URL('../programs/question-relay.cjs', import.meta.url), { workerData: { port: port2, bell: this.#bell, program }, transferList: [port2], execArgv: [], env: {}, stdin: false })
    worker.on('error', (error) => this.#failAll(error))
    worker.unref()
    this.#port = port1
    this.#port.on('message', (message: Message) => this.#receive(message))
    this.#port.unref()
    // A child that hangs is of no use to anyone when this process is gone.
    process.once('exit', () => {
      for (const pid of this.#children) endChild(pid)
    })
  }

  ask(question: Question): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // It keeps this process going for as long as the answer may take.
      const limit = setTimeout(() => this.#fail(id, noAnswer(question.path, question.mountPoint, question.limitMs)), this.#patienceMs(question))
      const id = this.#send(question, { resolve: (value) => (clearTimeout(limit), resolve(value)), reject: (error) => (clearTimeout(limit), reject(error)) })
    })
  }

  askNow(question: Question): unknown {
    let outcome: { readonly value: unknown } | { readonly error: Error } | null = null
    const id = this.#send(question, { resolve: (value) => (outcome = { value }), reject: (error) => (outcome = { error }) })
    const deadline = performance.now() + this.#patienceMs(question)
    for (;;) {
      this.#waitForBell(deadline)
      const ended = outcome as { readonly value: unknown } | { readonly error: Error } | null
      if (ended !== null) {
        if ('error' in ended) throw ended.error
        return ended.value
      }
      if (performance.now() >= deadline) this.#fail(id, noAnswer(question.path, question.mountPoint, question.limitMs))
    }
  }

  /** Waits until each has its answer or none; the answers are of no interest. */
  askAllNow(questions: readonly Question[]): void {
    const waiting = new Set<number>()
    for (const question of questions) {
      const over = (): void => void waiting.delete(id)
      const id = this.#send(question, { resolve: over, reject: over })
      waiting.add(id)
    }
    const deadline = performance.now() + Math.max(...questions.map((question) => this.#patienceMs(question)))
    while (waiting.size > 0 && performance.now() < deadline) this.#waitForBell(deadline)
  }

  /** Receives what the worker has to say, and waits for more if that was nothing. */
  #waitForBell(deadline: number): void {
    const heard = Atomics.load(this.#bell, 0)
    let isNews = false
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      isNews = true
      this.#receive(next.message as Message)
    }
    if (!isNews) Atomics.wait(this.#bell, 0, heard, Math.max(0, deadline - performance.now()))
  }

  /** Those that were asked before may each take their own limit. */
  #patienceMs({ limitMs }: Question): number {
    return limitMs + relayMarginMs + [...this.#pending.values()].reduce((sum, pending) => sum + pending.limitMs, 0)
  }

  #send(question: Question, { resolve, reject }: Pick<Pending, 'resolve' | 'reject'>): number {
    const id = (this.#last += 1)
    this.#pending.set(id, { ...question, resolve, reject })
    this.#port.postMessage({ id, ...question })
    return id
  }

  #receive(message: Message): void {
    if ('started' in message) this.#children.add(message.started)
    else if ('ended' in message) this.#children.delete(message.ended)
    else if ('answers' in message) this.#hanging.delete(message.answers)
    else if ('hangs' in message) {
      this.#hanging.add(message.hangs)
      const { path, limitMs } = this.#pending.get(message.id) ?? { path: message.hangs, limitMs: null }
      this.#fail(message.id, noAnswer(path, message.hangs, limitMs))
    } else if ('error' in message) this.#fail(message.id, Object.assign(new Error(message.error.message), { code: message.error.code }))
    else {
      this.#pending.get(message.id)?.resolve(message.value)
      this.#pending.delete(message.id)
    }
  }

  #fail(id: number, error: Error): void {
    this.#pending.get(id)?.reject(error)
    this.#pending.delete(id)
  }

  #failAll(error: Error): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error)
  }
}

function noAnswer(path: string, mountPoint: string, limitMs: number | null): NodeJS.ErrnoException {
  const since = limitMs === null ? 'does not answer' : `did not answer within ${limitMs / 1000} s`
  return Object.assign(new Error(`${path}: the file system at ${mountPoint} ${since}`), { code: unanswered, path })
}

function endChild(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function mountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}
