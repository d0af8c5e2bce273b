import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'
import { promisify } from 'node:util'

import { signalProcess } from '../fixtures/signal-process.js'
import { until } from '../fixtures/until.js'
import { makeWorld, type World } from '../fixtures/world.js'
import { randomSource } from '../matrix/options.js'
import { filesOf, startMirrorRemote, type Copy, type MirrorKind, type MirrorRemote } from './mirror-remote.js'
import { victims, type MirrorOptions, type Victim, type Work } from './options.js'

const execute = promisify(execFile)

export interface KillResult {
  readonly kind: MirrorKind
  readonly work: Work
  readonly victim: Victim | 'plain rclone sync'
  readonly ms: number
  /** False when the sync was over before. */
  readonly hasLanded: boolean
  /** What is not as it has to be, in words. */
  readonly flaws: readonly string[]
}

/** So many files of so many bytes are new in each snapshot, and so fast is the way to the remote: a second or so of upload. */
const [newFiles, newFileBytes, bandwidth] = [4, 1_500_000, '6M']
/** Of a repository that is pruned so many snapshots stay. */
const keptSnapshots = 3

/** One repository and one remote, and syncs between them that are killed, each on top of the last. */
export class MirrorKills {
  readonly #kind: MirrorKind
  readonly #work: Work
  readonly #world: World
  readonly #remote: MirrorRemote
  readonly #source: string
  readonly #random: () => number
  readonly #restored = new Set<string>()
  #durationMs = 0
  #plainMs = 0
  #count = 0

  private constructor(made: { kind: MirrorKind; work: Work; options: MirrorOptions; world: World; remote: MirrorRemote }) {
    this.#kind = made.kind
    this.#work = made.work
    this.#world = made.world
    this.#remote = made.remote
    this.#source = join(made.world.root, 'source')
    this.#random = randomSource(made.options.seed + createHash('md5').update(made.kind + made.work).digest().readUInt16LE())
  }

  /** Makes both, with a copy that is complete, and learns how long an undisturbed sync takes. */
  static async make(kind: MirrorKind, work: Work, options: MirrorOptions): Promise<MirrorKills> {
    const world = await makeWorld({ network: 'host' })
    const remote = await startMirrorRemote(kind, world)
    const made = new MirrorKills({ kind, work, options, world, remote })
    world.configure(remote.settings)
    world.configure({ cloud_sync: { RETRIES: 1, BANDWIDTH: bandwidth } })
    mkdirSync(made.#source)
    for (let round = 0; round <= keptSnapshots; round++) await made.#change()
    await made.#completeSync()
    await made.#change()
    made.#durationMs = await made.#completeSync()
    if (options.withPlain && remote.plain !== null) {
      await made.#plain().ended
      await made.#change()
      made.#plainMs = await made.#plain().ended
      made.#durationMs = Math.max(made.#durationMs, await made.#completeSync())
    }
    return made
  }

  /** What remains when nobody kills: all of it there, and nothing else. */
  async finish(): Promise<readonly string[]> {
    const flaws: string[] = []
    const { exitCode, result } = await this.#world.sync()
    if (exitCode !== 0) flaws.push(`the last sync ended with ${exitCode}: ${JSON.stringify(result)}`)
    if ((await this.#remote.files()).join() !== filesOf(this.#world.repository).join()) flaws.push('the copy is not equal to the repository')
    await this.#look(this.#remote.copy, flaws, true)
    return flaws
  }

  async kill(): Promise<KillResult> {
    const { tool } = this.#remote
    const victim = tool === null ? 'stackbk' : victims[this.#count++ % victims.length]!
    const ms = Math.round(this.#random() * this.#durationMs * 1.05)
    const flaws: string[] = []
    await this.#change()
    const underway = this.#world.start(['sync'])
    await Promise.race([underway.ended, passTime(ms)])
    let hasLanded = !underway.isOver()
    if (victim !== 'tool') underway.signal('SIGKILL')
    if (victim !== 'stackbk') {
      const tools = this.#tools()
      for (const { pid } of tools) signalProcess(pid, 'SIGKILL')
      if (victim === 'tool') hasLanded = tools.length > 0
    }
    const { exitCode } = await underway.ended
    // The tool that is killed alone is started again; where it was only asked for its version, it is one that does not answer.
    if (victim === 'tool' && ![0, 3, 4, 5].includes(exitCode)) flaws.push(`exit code ${exitCode}`)
    // A tool that outlives stackbk goes on with what it was told. A restic that reads meanwhile may miss what goes, as it has to.
    const isAtWork = this.#tools().length > 0
    await this.#look(this.#remote.copy, flaws)
    if (isAtWork && flaws.length > 0) {
      await until('the tool that was left has ended', () => this.#tools().length === 0)
      flaws.length = 0
      await this.#look(this.#remote.copy, flaws)
    }
    return { kind: this.#kind, work: this.#work, victim, ms, hasLanded, flaws }
  }

  get hasPlain(): boolean {
    return this.#remote.plain !== null
  }

  /** The same for `rclone sync`. Nothing is mended between its kills either. */
  async killPlain(): Promise<KillResult> {
    const ms = Math.round(this.#random() * this.#plainMs * 1.05)
    const flaws: string[] = []
    await this.#change()
    const plain = this.#plain()
    await Promise.race([plain.ended, passTime(ms)])
    const hasLanded = plain.kill()
    await plain.ended
    await this.#look(this.#remote.plain?.copy ?? this.#remote.copy, flaws)
    return { kind: this.#kind, work: this.#work, victim: 'plain rclone sync', ms, hasLanded, flaws }
  }

  async remove(): Promise<void> {
    await this.#remote.close()
    await this.#world.remove()
  }

  /** One more snapshot; where pruning is the work, the oldest goes, by stackbk, and its data by restic. */
  async #change(): Promise<void> {
    for (let file = 0; file < newFiles; file++) writeFileSync(join(this.#source, `blob${file}`), randomBytes(newFileBytes))
    await this.#world.restic('backup', '--host', 'testhost', '--tag', 'stackbk,stack:web', '--pack-size', '4', this.#source)
    if (this.#work === 'adding') return
    const old = (await this.#world.snapshots()).slice(0, -keptSnapshots)
    if (old.length === 0) return
    const { exitCode, stderr } = await this.#world.run(['snapshots', 'forget', ...old.map(({ id }) => id), '--yes'])
    if (exitCode !== 0) throw new Error(stderr)
    await this.#world.restic('prune', '--max-unused', '0', '--pack-size', '4')
  }

  async #completeSync(): Promise<number> {
    const ended = await this.#world.run(['sync'])
    if (ended.exitCode !== 0) throw new Error(`an undisturbed sync fails: ${JSON.stringify(ended)}`)
    return ended.ms
  }

  #tools(): { readonly pid: number }[] {
    const { tool } = this.#remote
    return this.#world.processes().filter(({ command }) => tool !== null && command.startsWith(tool))
  }

  #plain(): { readonly ended: Promise<number>; kill(): boolean } {
    const { plain } = this.#remote
    if (plain === null) throw new Error('rclone does not go there')
    const begun = performance.now()
    const child = spawn('rclone', ['sync', this.#world.repository, plain.address, `--config=${plain.configFile}`, `--bwlimit=${bandwidth}`, '--exclude=/locks/**'], { stdio: 'ignore' })
    return {
      ended: new Promise((resolve) => child.once('exit', () => resolve(performance.now() - begun))),
      kill: () => child.exitCode === null && child.kill('SIGKILL'),
    }
  }

  /**
   * restic finds the copy sound to the last byte of each pack, and what it lists comes back in full: each snapshot when it is
   * seen first, one of the others by lot, and all of them where asked for.
   */
  async #look(copy: Copy, flaws: string[], wantsAll = false): Promise<void> {
    const restic = (...args: string[]): Promise<string> => execute('restic', ['--no-cache', '--no-lock', '--repo', copy.repository, '--password-file', this.#world.password, ...args], { env: { ...process.env, ...copy.environment, TMPDIR: this.#world.temporary }, maxBuffer: 64 * 1024 * 1024 }).then(({ stdout }) => stdout)
    try {
      await restic('check', '--read-data')
      const ids = (JSON.parse(await restic('snapshots', '--json')) as { readonly id: string }[]).map(({ id }) => id)
      const byLot = ids[Math.floor(this.#random() * ids.length)]
      for (const id of ids.filter((one) => wantsAll || one === byLot || !this.#restored.has(copy.repository + one))) {
        const target = mkdtempSync(join(this.#world.root, 'restored-'))
        try {
          await restic('restore', id, '--target', target, '--verify')
          if (readdirSync(join(target, this.#source)).length !== newFiles) flaws.push(`${id.slice(0, 8)} lacks files`)
          this.#restored.add(copy.repository + id)
        } finally {
          rmSync(target, { recursive: true, force: true })
        }
      }
    } catch (error) {
      flaws.push(String((error as { stderr?: string }).stderr ?? error).trim().slice(-500))
    }
  }
}
