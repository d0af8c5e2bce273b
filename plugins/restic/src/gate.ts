import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'

import { answered, failed, type Answer, type Exec, type Failure } from '@stackbk/contract'

/** Two bytes: while we look whether they are still there, one of them always is, so that our death at any instant leaves an unfinished pattern. */
const unfinishedPattern = Buffer.from('[[')

/**
 * What holds restic between opening the repository and reading the stack: a pipe that restic is given as a file of
 * patterns, and in which stands the beginning of one.
 *
 * restic gets it as `/proc/PID/fd/N`, with our PID: so the pipe's name is gone again before restic starts, and a restic that
 * comes to open it after our death finds nothing and ends, where a named pipe would let it wait for a writer for ever.
 * Without us the pipe ends in mid-pattern, which restic refuses.
 */
export class Gate {
  /** For `--iexclude-file`. */
  readonly path: string
  /** For `--exclude-file`: the user's patterns, which restic thus checks before it comes to the gate; `null` where there are none. */
  readonly patternsPath: string | null
  readonly #pipe: number
  readonly #patterns: number | null
  #isShut = false

  constructor(pipe: number, patterns: number | null) {
    this.#pipe = pipe
    this.#patterns = patterns
    this.path = `/proc/${process.pid}/fd/${pipe}`
    this.patternsPath = patterns === null ? null : `/proc/${process.pid}/fd/${patterns}`
  }

  /** Whether restic has come to it: it alone takes the bytes out. They are looked at by taking one and putting it back. */
  hasBeenReached(): boolean {
    if (this.#isShut) return false
    const byte = Buffer.alloc(1)
    try {
      if (readSync(this.#pipe, byte, 0, 1, null) === 0) return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return true
      throw error
    }
    writeSync(this.#pipe, byte)
    return false
  }

  /** Lets restic pass: completes the pattern to one that matches no file. */
  open(): void {
    if (this.#isShut) return
    writeSync(this.#pipe, `]stackbk-${randomUUID()}\n`)
    this.shut()
  }

  /** Without {@link open} before, it makes a restic that has reached the gate give up. Not before it has: the number may be another file's by then. */
  shut(): void {
    if (this.#isShut) return
    this.#isShut = true
    closeSync(this.#pipe)
    if (this.#patterns !== null) closeSync(this.#patterns)
  }
}

/**
 * Makes a gate; the folder that this takes is gone again when it is there. It is made in `parent`, which belongs to one run at
 * a time: what lies there of another process is left of one that was killed in that instant, and goes.
 */
export async function createGate(exec: Exec, parent: string, patternLines: readonly string[]): Promise<Answer<Gate>> {
  const ownPrefix = `gate-${process.pid}-`
  let folder: string | null = null
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(parent)) if (name.startsWith('gate-') && !name.startsWith(ownPrefix)) rmSync(join(parent, name), { recursive: true, force: true })
    folder = mkdtempSync(join(parent, ownPrefix))
    const pipePath = join(folder, 'gate')
    const made = await exec.run({ file: 'mkfifo', args: ['-m', '600', '--', pipePath] })
    if (made.exitCode !== 0) return failed(noPipe(parent, (made.startError ?? made.stderr).trim()))
    const patterns = patternLines.length === 0 ? null : openPatterns(join(folder, 'patterns'), patternLines)
    const pipe = openSync(pipePath, constants.O_RDWR | constants.O_NONBLOCK)
    writeSync(pipe, unfinishedPattern)
    return answered(new Gate(pipe, patterns))
  } catch (error) {
    return failed(noPipe(parent, error instanceof Error ? error.message : String(error)))
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}

function noPipe(parent: string, toolOutput: string): Failure {
  return { kind: 'failed', message: `no pipe could be made in ${parent}`, toolOutput, fix: 'Free space there, and see who owns it' }
}

function openPatterns(path: string, lines: readonly string[]): number {
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''), { mode: 0o600, flag: 'wx' })
  return openSync(path, constants.O_RDONLY)
}
