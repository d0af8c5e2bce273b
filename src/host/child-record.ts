import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { StopManner, ToolProcess } from '@stackbk/contract'
import { endProcessGroup, findProcesses, isSameProcess, readProcess } from '@stackbk/tool-runner/processes'

import { appendLine } from './append-line.js'
import { bootId } from './boot.js'
import { ensureFolder } from './state-folder.js'

/** Every tool of a run carries the run's ID in this variable, so that one started in the instant of our death is found too. */
export const runMark = 'STACKBK_RUN_ID'

const leftoverGraceMs = 15_000

type Line =
  | { readonly is: 'owner'; readonly bootId: string; readonly runId: string; readonly process: ToolProcess }
  | { readonly is: 'starting'; readonly file: string; readonly at: string }
  | { readonly is: 'started'; readonly process: ToolProcess; readonly file: string; readonly manner: StopManner }
  | { readonly is: 'ended'; readonly pid: number }

/** The tools that a run has started, on disk, so that whoever comes after its death can end them. */
export class ChildRecord {
  readonly #folder: string
  readonly #path: string
  readonly #owner: Line
  #begun = false
  #isClosed = false

  constructor(folder: string, runId: string) {
    this.#folder = folder
    this.#path = join(folder, `${runId}.jsonl`)
    this.#owner = { is: 'owner', bootId: bootId(), runId, process: { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? null } }
  }

  /** Right before a start: where the run dies in that moment, what the tool leaves elsewhere is known by the time alone. */
  starting(file: string): void {
    this.#begin()
    this.#add({ is: 'starting', file, at: new Date().toISOString() })
  }

  started(child: ToolProcess, file: string, manner: StopManner): void {
    this.#begin()
    this.#add({ is: 'started', process: child, file, manner })
  }

  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#add(this.#owner)
  }

  ended(child: ToolProcess): void {
    this.#add({ is: 'ended', pid: child.pid })
  }

  /** The run has ended in good order: nothing of it lives but a question to the engine, perhaps, whose answer nobody waits for. */
  close(): void {
    this.#isClosed = true
    rmSync(this.#path, { force: true })
  }

  /** A full disk must not keep a stack down: without this line a leftover is still found by its mark. */
  #add(line: Line): void {
    // It would begin a record anew, of which nobody could tell whose it was.
    if (this.#isClosed) return
    try {
      if (line.is === 'owner') ensureFolder(this.#folder)
      appendLine(this.#path, JSON.stringify(line))
    } catch {
      // See above.
    }
  }
}

/** A tool that outlived the run that started it, and was ended now. */
export interface EndedLeftover {
  readonly runId: string
  readonly pid: number
  readonly file: string
}

export interface Leftovers {
  /** Runs that died with tools at work, whether those still lived or not. */
  readonly deadRuns: readonly string[]
  readonly ended: readonly EndedLeftover[]
  /** The process IDs of all tools that were at work when those runs died. None of them lives. */
  readonly processes: ReadonlySet<number>
  /** When those runs were starting a tool whose process ID they did not live to write down. Milliseconds since the epoch. */
  readonly interruptedStarts: readonly number[]
  /** What those runs left elsewhere (a lock in the repository) is cleared up too: until then each later run hears of them. */
  readonly forget: () => void
}

/** Ends every tool of runs that are dead: those on record and those that carry the mark of such a run. Live runs are left alone. */
export async function endLeftovers(folder: string): Promise<Leftovers> {
  const ended: EndedLeftover[] = []
  const deadRuns: string[] = []
  const processes = new Set<number>()
  const interruptedStarts: number[] = []
  const settled: string[] = []
  for (const name of recordsIn(folder)) {
    const path = join(folder, name)
    const lines = linesOf(path)
    const owner = lines.find((line) => line.is === 'owner')
    if (owner !== undefined && owner.bootId === bootId() && isSameProcess(owner.process)) continue
    // The first line is missing where the disk was full: then the name says whose it was, and the mark who is left of it.
    const runId = owner?.runId ?? name.slice(0, -'.jsonl'.length)
    deadRuns.push(runId)
    for (const { process } of atWork(lines)) processes.add(process.pid)
    // Whatever a run writes down next tells how the start went.
    const last = lines.at(-1)
    if (last?.is === 'starting') interruptedStarts.push(Date.parse(last.at))
    if (owner === undefined || owner.bootId === bootId()) {
      // Each group is waited for once. A tool that hangs in the kernel survives even SIGKILL, and stacks may be down meanwhile.
      const groups = new Set<number>()
      for (const child of owner === undefined ? [] : stillRunning(lines)) {
        groups.add(child.process.pid)
        await endProcessGroup(child.process.pid, child.manner)
        ended.push({ runId, pid: child.process.pid, file: child.file })
      }
      for (const stray of marked(runId)) {
        if (groups.has(stray.processGroup)) continue
        groups.add(stray.processGroup)
        await endProcessGroup(stray.processGroup, { signal: 'SIGTERM', graceMs: leftoverGraceMs })
        ended.push({ runId, pid: stray.pid, file: stray.command })
        processes.add(stray.pid)
      }
    }
    settled.push(path)
  }
  return { deadRuns, ended, processes, interruptedStarts, forget: () => settled.forEach((path) => rmSync(path, { force: true })) }
}

function recordsIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  } catch {
    return []
  }
}

/** A last line cut short by a crash says nothing that its process's mark does not say. */
function linesOf(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Line]
      } catch {
        return []
      }
    })
}

function stillRunning(lines: readonly Line[]): Extract<Line, { is: 'started' }>[] {
  return atWork(lines).filter((line) => isSameProcess(line.process))
}

/** What was started and has not ended, as far as the run could write it down. */
function atWork(lines: readonly Line[]): Extract<Line, { is: 'started' }>[] {
  const running = new Map<number, Extract<Line, { is: 'started' }>>()
  for (const line of lines) {
    if (line.is === 'started') running.set(line.process.pid, line)
    else if (line.is === 'ended') running.delete(line.pid)
  }
  return [...running.values()]
}

/** What shares our own process group has started us, or was started with us: ending it would end ourselves. */
function marked(runId: string): { pid: number; processGroup: number; command: string }[] {
  const ownGroup = readProcess(process.pid)?.processGroup
  return findProcesses((facts) => facts.processGroup !== ownGroup && facts.state !== 'Z' && environmentOf(facts.pid).includes(`${runMark}=${runId}`))
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}
