import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'

import type { LogLine, Underway, World } from '../fixtures/world.js'

/** A moment of a run that can be recognised again in another run: something that the run log or the journal records. */
export type Step = string

const journalWritten: Step = 'journal: an entry is written'
const journalRemoved: Step = 'journal: the entry is removed'

/** What a run records while it is under way, each step once, when it was first seen. Begins with an empty run log. */
export class StepWatch {
  readonly #world: World
  readonly #log: LogTail
  #hadEntry = false
  readonly #seen = new Set<Step>()

  constructor(world: World) {
    this.#world = world
    this.#log = new LogTail(join(world.state, 'stackbk.log'))
  }

  /** Those that are there by now, in the order in which they came. */
  look(): ReadonlySet<Step> {
    const hasEntry = filesOf(join(this.#world.state, 'journal')).some((name) => name.endsWith('.json'))
    if (hasEntry) this.#seen.add(journalWritten)
    if (this.#hadEntry && !hasEntry) this.#seen.add(journalRemoved)
    this.#hadEntry = hasEntry
    for (const line of this.#log.more()) this.#seen.add(stepOf(line))
    return this.#seen
  }
}

/** Lets a run go to its end, and gives the steps that it took. */
export async function stepsOf(world: World, underway: Underway): Promise<readonly Step[]> {
  const watch = new StepWatch(world)
  for (; !underway.isOver(); await passTime(1)) watch.look()
  return [...watch.look()]
}

/** Waits for the step; false when the run was over before. */
export async function meets(world: World, underway: Underway, step: Step): Promise<boolean> {
  const watch = new StepWatch(world)
  for (; !underway.isOver(); await passTime(1)) if (watch.look().has(step)) return true
  return false
}

/** The message, and of a tool which one and what it was asked to do, without names, which are other ones in each run. */
function stepOf(line: LogLine): Step {
  const { tool, args } = line as { readonly tool?: unknown; readonly args?: unknown }
  if (typeof tool !== 'string' || !Array.isArray(args)) return line.message
  const words = (args as readonly unknown[]).filter((word): word is string => typeof word === 'string')
  const verbs = words.filter((word) => /^[a-z]{2,12}$/.test(word) && !['quiet', 'json'].includes(word))
  return `${line.message}: ${[tool, ...verbs.slice(0, 2)].join(' ')}`
}

/** Reads what is new in a file of JSON lines. */
class LogTail {
  readonly #path: string
  #offset = 0
  #rest = ''

  constructor(path: string) {
    this.#path = path
  }

  more(): readonly LogLine[] {
    let file: number
    try {
      file = openSync(this.#path, 'r')
    } catch {
      return []
    }
    try {
      const { size } = fstatSync(file)
      if (size <= this.#offset) return []
      const bytes = Buffer.alloc(size - this.#offset)
      this.#offset += readSync(file, bytes, 0, bytes.length, this.#offset)
      const lines = (this.#rest + bytes.toString('utf8')).split('\n')
      this.#rest = lines.pop() ?? ''
      return lines.map((line) => JSON.parse(line) as LogLine)
    } finally {
      closeSync(file)
    }
  }
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
