import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'
import { promisify } from 'node:util'

import { makeWorld, signalProcess, until, type Ended, type Underway, type World } from '../fixtures/world.js'
import { randomSource, type MatrixOptions } from './options.js'
import { meets, stepsOf, type Step } from './steps.js'
import { makeWriterStack, type WriterStack } from './writer-stack.js'

const execute = promisify(execFile)

/** - `KILL`: stackbk alone, its tools live on
 * - `KILL all`: stackbk and all of its tools, as in a power cut that leaves the containers alive
 * - the others: a signal to stackbk, every other time with a second one behind it */
export type Kind = 'KILL' | 'KILL all' | 'INT' | 'TERM' | 'HUP'

export const kinds: readonly Kind[] = ['KILL', 'KILL all', 'INT', 'TERM', 'HUP']

export interface Kill {
  readonly mode: string
  readonly kind: Kind
  readonly moment: { readonly step: Step } | { readonly ms: number }
  /** How the next run comes about after a SIGKILL. A kill of `resume` itself comes first where it says so. */
  readonly recovery: 'resume' | 'backup' | 'killed resume, resume' | 'killed resume, backup'
}

export interface KillResult {
  readonly kill: Kill
  /** False when the run was over before. */
  readonly hasLanded: boolean
  /** What is not as it has to be, in words; empty for a recovery. */
  readonly flaws: readonly string[]
}

const exitCodeOf = { INT: 130, TERM: 143, HUP: 129 } as const
/** A run takes a few seconds; one that takes so long hangs. */
const endLimitMs = 60_000
/** Tools that no record tells of (one started in the very instant of the kill) end by themselves. */
const strayLimitMs = 10_000
/** Snapshots that say of themselves that they are not what the next restore wants. */
const setAside = ['live', 'partial', 'shrunk', 'stackbk-warm']
const blobBytes = 8_000_000
/** How often the data of all packs is read. */
const readDataEvery = 20

/** One stack in one stop mode, killed again and again. */
export class KillMatrix {
  readonly steps: readonly Step[]
  readonly #mode: string
  readonly #options: MatrixOptions
  readonly #world: World
  readonly #writer: WriterStack
  readonly #random: () => number
  readonly #durationMs: number
  readonly #fingerprint: string
  readonly #folder: string | null
  #soundSnapshot = ''
  #count = 0

  private constructor(made: { mode: string; options: MatrixOptions; world: World; writer: WriterStack; steps: readonly Step[]; durationMs: number; fingerprint: string; folder: string | null }) {
    this.steps = made.steps
    this.#mode = made.mode
    this.#options = made.options
    this.#world = made.world
    this.#writer = made.writer
    this.#durationMs = made.durationMs
    this.#fingerprint = made.fingerprint
    this.#folder = made.folder
    this.#random = randomSource(made.options.seed + createHash('md5').update(made.mode).digest().readUInt16LE())
  }

  /** Makes the stack, and learns from a run that nobody disturbs which steps there are and how long it takes. */
  static async make(mode: string, options: MatrixOptions): Promise<KillMatrix> {
    const world = await makeWorld({
      settings: {
        docker: { STOP_MODE: mode, HEALTH_TIMEOUT: 20 },
        local_backup: { KEEP_WITHIN: 0, KEEP_LAST: 2, KEEP_DAILY: 0, KEEP_WEEKLY: 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 },
      },
    })
    world.configure(options.settings)
    let folder: string | null = null
    if (options.stacksParent !== null) {
      mkdirSync(options.stacksParent, { recursive: true })
      folder = mkdtempSync(join(options.stacksParent, `${world.prefix}-`))
    }
    const writer = await makeWriterStack(world, 'writer', { parent: folder, hasVolume: options.hasVolume })
    await until('the writer has written', () => writer.records().count > 0)
    // The second run is the one that others are like: the first has everything to read, and nothing to forget.
    let [steps, durationMs]: [readonly Step[], number] = [[], 0]
    for (let run = 1; run <= 3; run++) {
      writer.change(randomBytes(blobBytes))
      rmSync(join(world.state, 'stackbk.log'), { force: true })
      const underway = world.start(['backup'])
      steps = await stepsOf(world, underway)
      const ended = await underway.ended
      if (ended.exitCode !== 0) throw new Error(`an undisturbed run fails: ${JSON.stringify(ended)}`)
      durationMs = ended.ms
    }
    return new KillMatrix({ mode, options, world, writer, steps, durationMs, fingerprint: await writer.fingerprint(mode !== 'down'), folder })
  }

  /** All kills that the options ask for. */
  plan(): readonly Kill[] {
    const { randomMoments, randomSignals, mostSteps } = this.#options
    const recoveries: readonly Kill['recovery'][] = ['resume', 'backup', 'resume', 'backup', 'killed resume, resume', 'backup', 'resume', 'killed resume, backup']
    const moments = kinds.flatMap((kind) => [
      ...this.#someSteps(mostSteps).map((step) => ({ kind, moment: { step } })),
      // From before the program has begun to a little beyond its end, as others are a little slower.
      ...Array.from({ length: kind.startsWith('KILL') ? randomMoments : randomSignals }, () => ({ kind, moment: { ms: Math.round(this.#random() * this.#durationMs * 1.05) } })),
    ])
    return moments.map((one, index) => ({ ...one, mode: this.#mode, recovery: recoveries[index % recoveries.length]! }))
  }

  /** All, or so many of those at which the stack is down. */
  #someSteps(most: number): readonly Step[] {
    if (most >= this.steps.length) return this.steps
    const window = this.steps.slice(this.steps.findIndex((step) => step.startsWith('journal:')), this.steps.findLastIndex((step) => step.startsWith('journal:')) + 1)
    return Array.from({ length: most }, () => window[Math.floor(this.#random() * window.length)]!)
  }

  /** Never throws: what goes wrong is a flaw of this kill, and is mended for the next one. */
  async kill(kill: Kill): Promise<KillResult> {
    this.#count += 1
    const flaws: string[] = []
    let hasLanded = false
    try {
      hasLanded = await this.#killAndRecover(kill, flaws)
    } catch (error) {
      flaws.push(error instanceof Error ? error.message : String(error))
    }
    if (flaws.length > 0) await this.#mend(flaws)
    return { kill, hasLanded, flaws }
  }

  async #killAndRecover(kill: Kill, flaws: string[]): Promise<boolean> {
    const { kind } = kill
    this.#writer.change(randomBytes(blobBytes))
    rmSync(join(this.#world.state, 'stackbk.log'), { force: true })
    const acknowledged = this.#writer.acknowledged()
    const underway = this.#world.start(['backup'])
    await this.#momentOf(kill, underway)
    const wasUnderWay = !underway.isOver()
    let hasLanded: boolean
    if (kind === 'KILL' || kind === 'KILL all') {
      this.#strike(underway.pid, kind)
      const { exitCode } = await endOf(underway)
      hasLanded = exitCode === 137
      if (wasUnderWay && ![0, 137].includes(exitCode)) flaws.push(`exit code ${exitCode}`)
      await this.#recover(kill, flaws)
    } else {
      hasLanded = await this.#interrupt(underway, kind, flaws)
    }
    await this.#look(kind, acknowledged, flaws)
    return hasLanded
  }

  async #momentOf({ moment }: Kill, underway: Underway): Promise<void> {
    if ('step' in moment) await meets(this.#world, underway, moment.step)
    else for (const end = performance.now() + moment.ms; performance.now() < end && !underway.isOver(); ) await passTime(1)
  }

  #strike(pid: number, kind: 'KILL' | 'KILL all'): void {
    signalProcess(pid, 'SIGKILL')
    if (kind === 'KILL') return
    // A tool may start another one between the look and the blow.
    for (let left = this.#world.processes(); left.length > 0; left = this.#world.processes()) for (const one of left) signalProcess(one.pid, 'SIGKILL')
  }

  async #interrupt(underway: Underway, kind: 'INT' | 'TERM' | 'HUP', flaws: string[]): Promise<boolean> {
    underway.signal(`SIG${kind}`)
    // Of two that come before the program is looked at again, the kernel hands out the lower number first.
    const codes: number[] = [exitCodeOf[kind]]
    if (this.#count % 2 === 0) {
      const second = (['INT', 'TERM', 'HUP'] as const)[Math.floor(this.#random() * 3)]!
      await Promise.race([underway.ended, passTime(Math.round(this.#random() * 500))])
      if (!underway.isOver()) {
        underway.signal(`SIG${second}`)
        codes.push(exitCodeOf[second])
      }
    }
    const ended = await endOf(underway)
    const hasLanded = codes.includes(ended.exitCode)
    if (!hasLanded && ended.exitCode !== 0) flaws.push(`exit code ${ended.exitCode}: ${ended.stderr.slice(-400)}`)
    return hasLanded
  }

  async #recover({ recovery }: Kill, flaws: string[]): Promise<void> {
    if (recovery.startsWith('killed')) {
      const resuming = this.#world.start(['resume'])
      const limit = this.#random() * this.#durationMs
      await Promise.race([resuming.ended, passTime(limit)])
      resuming.signal('SIGKILL')
      await endOf(resuming)
    }
    if (recovery.endsWith('resume')) {
      const { exitCode, result } = await this.#world.resume()
      if (exitCode !== 0) flaws.push(`resume ended with ${exitCode}: ${JSON.stringify(result)}`)
      return
    }
    const call = await this.#world.backup()
    const { status, stateBefore, servicesBefore } = call.stack('writer')
    if (call.exitCode !== 0 || status !== 'ok' || stateBefore !== 'running' || servicesBefore.join() !== 'app,db') flaws.push(`the next backup ended with ${call.exitCode}: ${JSON.stringify(call.result)}`)
  }

  /** Everything that has to be so after a recovery, and right at the end of a run that was interrupted. */
  async #look(kind: Kind, acknowledged: number, flaws: string[]): Promise<void> {
    const world = this.#world
    const health = await this.#writer.health()
    if (health !== '') flaws.push(health)
    const lives = (): string => world.processes().map(({ pid, command }) => `${pid} ${command}`).join('; ')
    if (kind.startsWith('KILL')) await until('nothing of ours lives', () => lives() === '', strayLimitMs).catch(() => {})
    if (lives() !== '') flaws.push(`still lives: ${lives()}`)
    const left = [
      ...entries(join(world.state, 'journal')),
      ...entries(join(world.state, 'children')),
      // A restic that is killed while it writes a file leaves a temporary one: its own affair. Of its locks they go after half an hour.
      ...entries(join(world.repository, 'locks')).filter((path) => !/\/[0-9a-f]{64}-tmp-\d+$/.test(path)),
      ...entries(world.temporary).filter((path) => !/restic-temp-pack-[^/]*$/.test(path)),
    ]
    if (left.length > 0) flaws.push(`left behind: ${left.join(', ')}`)
    if (this.#folder !== null && readdirSync(this.#folder).join() !== 'writer') flaws.push(`beside the stack: ${readdirSync(this.#folder).join()}`)
    const fingerprint = await this.#writer.fingerprint(this.#mode !== 'down')
    if (fingerprint !== this.#fingerprint) flaws.push(`other containers than before: [${fingerprint}] instead of [${this.#fingerprint}]`)
    const { count, flaw } = this.#writer.records()
    if (flaw !== '') flaws.push(`data: ${flaw}`)
    if (count < acknowledged) flaws.push(`data: ${count} records, of which ${acknowledged} were acknowledged before`)
    await until('the writer goes on writing', () => this.#writer.records().count > count).catch((error: unknown) => flaws.push(String(error)))
    await this.#lookAtRepository(flaws)
    if (this.#options.furtherCheck !== null) await execute('sh', ['-c', this.#options.furtherCheck]).catch((error: unknown) => flaws.push(String(error)))
  }

  async #lookAtRepository(flaws: string[]): Promise<void> {
    try {
      if (this.#count % readDataEvery === 0) await this.#world.restic('check', '--read-data', '--no-cache')
      else await this.#world.check()
    } catch (error) {
      flaws.push(`restic check: ${String(error)}`)
    }
    const newest = (await this.#world.snapshots()).filter(({ tags }) => !setAside.some((tag) => tags.includes(tag))).at(-1)
    if (newest === undefined) return void flaws.push('no snapshot is left')
    if (newest.id === this.#soundSnapshot) return
    const { flaw, isClean } = await this.#writer.recordsIn(newest.id)
    if (flaw !== '') flaws.push(`snapshot ${newest.id}: ${flaw}`)
    else if (!isClean && this.#mode !== 'pause') flaws.push(`snapshot ${newest.id} was made while the writer was at work`)
    else this.#soundSnapshot = newest.id
  }

  /** By hand, so that the next kill finds a stack that runs; says what it looked like before. */
  async #mend(flaws: string[]): Promise<void> {
    const world = this.#world
    const lines = world.log().filter(({ level, tool, exitCode }) => level !== 'debug' || (tool !== undefined && exitCode !== 0))
    flaws.push(...lines.map((line) => `run log: ${JSON.stringify(line).slice(0, 600)}`))
    for (const { pid } of world.processes()) signalProcess(pid, 'SIGKILL')
    for (const folder of ['journal', 'children']) for (const path of entries(join(world.state, folder))) rmSync(path)
    for (const path of entries(world.temporary)) rmSync(path, { recursive: true })
    await world.restic('unlock', '--remove-all').catch(() => {})
    await this.#writer.stack.compose('unpause').catch(() => {})
    await this.#writer.stack.up().catch((error: unknown) => flaws.push(`and it could not be mended: ${String(error)}`))
    await until('it is healthy', async () => (await this.#writer.health()) === '').catch((error: unknown) => flaws.push(String(error)))
  }

  /** One run that nobody disturbs, after all: it has nothing to complain of, and what a killed one had to leave is gone. */
  async finish(): Promise<readonly string[]> {
    const flaws: string[] = []
    const call = await this.#world.backup()
    if (call.exitCode !== 0) flaws.push(`the last backup ended with ${call.exitCode}: ${JSON.stringify(call.result.problems)}`)
    const snapshots = await this.#world.snapshots()
    const others = snapshots.filter(({ tags }) => setAside.some((tag) => tags.includes(tag)))
    if (others.length > 0) flaws.push(`snapshots that should be gone, or never have been: ${others.map(({ id, tags }) => `${id} (${tags.join()})`).join(', ')}`)
    await this.#world.restic('check', '--read-data', '--no-cache').catch((error: unknown) => flaws.push(String(error)))
    return flaws
  }

  async remove(): Promise<void> {
    await this.#world.remove()
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function endOf(underway: Underway): Promise<Ended> {
  const hangs = Symbol()
  const limit = new AbortController()
  const ended = await Promise.race([underway.ended, passTime(endLimitMs, hangs, { signal: limit.signal }).catch(() => hangs)])
  limit.abort()
  if (typeof ended !== 'symbol') return ended
  underway.signal('SIGKILL')
  throw new Error(`it has not ended ${endLimitMs / 1000} s after the signal: ${underway.said().slice(-400)}`)
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name))
  } catch {
    return []
  }
}
