import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'
import { promisify } from 'node:util'

import { startRemote, type RemoteKind, type TestRemote } from '../fixtures/remotes.js'
import { signalProcess } from '../fixtures/signal-process.js'
import { makeWorld, type World } from '../fixtures/world.js'
import { randomSource } from '../matrix/options.js'
import { victims, type MirrorOptions, type Victim, type Work } from './options.js'

const execute = promisify(execFile)

export interface KillResult {
  readonly kind: RemoteKind
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
  readonly #kind: RemoteKind
  readonly #work: Work
  readonly #world: World
  readonly #remote: TestRemote
  readonly #path: string
  readonly #plainPath: string
  readonly #source: string
  readonly #random: () => number
  readonly #restored = new Set<string>()
  #durationMs = 0
  #plainMs = 0
  #count = 0

  private constructor(made: { kind: RemoteKind; work: Work; options: MirrorOptions; world: World; remote: TestRemote }) {
    this.#kind = made.kind
    this.#work = made.work
    this.#world = made.world
    this.#remote = made.remote
    this.#path = made.remote.freshPath()
    this.#plainPath = made.remote.freshPath()
    this.#source = join(made.world.root, 'source')
    this.#random = randomSource(made.options.seed + createHash('md5').update(made.kind + made.work).digest().readUInt16LE())
  }

  /** Makes both, with a copy that is complete, and learns how long an undisturbed sync takes. */
  static async make(kind: RemoteKind, work: Work, options: MirrorOptions): Promise<MirrorKills> {
    const world = await makeWorld({ network: 'host' })
    const remote = await startRemote(kind)
    const made = new MirrorKills({ kind, work, options, world, remote })
    world.configure({ cloud_sync: { RCLONE_CONFIG: remote.configFile, RCLONE_REMOTE: remote.name, RCLONE_PATH: made.#path, RETRIES: 1, BANDWIDTH: bandwidth } })
    mkdirSync(made.#source)
    for (let round = 0; round <= keptSnapshots; round++) await made.#change()
    await made.#completeSync()
    await made.#change()
    made.#durationMs = await made.#completeSync()
    if (options.withPlain) {
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
    if (filesOf(this.#copy(this.#path)).join() !== filesOf(this.#world.repository).join()) flaws.push('the copy is not equal to the repository')
    await this.#look(this.#path, flaws, true)
    return flaws
  }

  async kill(): Promise<KillResult> {
    const victim = victims[this.#count++ % victims.length]!
    const ms = Math.round(this.#random() * this.#durationMs * 1.05)
    const flaws: string[] = []
    await this.#change()
    const underway = this.#world.start(['sync'])
    await Promise.race([underway.ended, passTime(ms)])
    let hasLanded = !underway.isOver()
    if (victim !== 'rclone') underway.signal('SIGKILL')
    if (victim !== 'stackbk') {
      const tools = this.#world.processes().filter(({ command }) => command.startsWith('rclone '))
      for (const { pid } of tools) signalProcess(pid, 'SIGKILL')
      if (victim === 'rclone') hasLanded = tools.length > 0
    }
    const { exitCode } = await underway.ended
    // The tool that is killed alone is started again; where it was only asked for its version, it is one that does not answer.
    if (victim === 'rclone' && ![0, 3, 4, 5].includes(exitCode)) flaws.push(`exit code ${exitCode}`)
    await this.#look(this.#path, flaws)
    return { kind: this.#kind, work: this.#work, victim, ms, hasLanded, flaws }
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
    await this.#look(this.#plainPath, flaws)
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

  #plain(): { readonly ended: Promise<number>; kill(): boolean } {
    const begun = performance.now()
    const child = spawn('rclone', ['sync', this.#world.repository, `${this.#remote.name}:${this.#plainPath}`, `--config=${this.#remote.configFile}`, `--bwlimit=${bandwidth}`, '--exclude=/locks/**'], { stdio: 'ignore' })
    return {
      ended: new Promise((resolve) => child.once('exit', () => resolve(performance.now() - begun))),
      kill: () => child.exitCode === null && child.kill('SIGKILL'),
    }
  }

  #copy(path: string): string {
    return join(this.#remote.folder ?? '', path)
  }

  /**
   * restic finds the copy sound to the last byte of each pack, and what it lists comes back in full: each snapshot when it is
   * seen first, one of the others by lot, and all of them where asked for.
   */
  async #look(path: string, flaws: string[], wantsAll = false): Promise<void> {
    const copy = this.#copy(path)
    const restic = (...args: string[]): Promise<string> => execute('restic', ['--no-cache', '--no-lock', '--repo', copy, '--password-file', this.#world.password, ...args], { env: { ...process.env, TMPDIR: this.#world.temporary }, maxBuffer: 64 * 1024 * 1024 }).then(({ stdout }) => stdout)
    try {
      await restic('check', '--read-data')
      const ids = (JSON.parse(await restic('snapshots', '--json')) as { readonly id: string }[]).map(({ id }) => id)
      const byLot = ids[Math.floor(this.#random() * ids.length)]
      for (const id of ids.filter((one) => wantsAll || one === byLot || !this.#restored.has(path + one))) {
        const target = mkdtempSync(join(this.#world.root, 'restored-'))
        try {
          await restic('restore', id, '--target', target, '--verify')
          if (readdirSync(join(target, this.#source)).length !== newFiles) flaws.push(`${id.slice(0, 8)} lacks files`)
          this.#restored.add(path + id)
        } finally {
          rmSync(target, { recursive: true, force: true })
        }
      }
    } catch (error) {
      flaws.push(String((error as { stderr?: string }).stderr ?? error).trim().slice(-500))
    }
  }
}

/** Paths and contents of what makes up a repository. */
function filesOf(repository: string): string[] {
  const files = (readdirSync(repository, { recursive: true }) as string[]).filter((file) => /^(config|(data|index|keys|snapshots)\/.*[0-9a-f]{64})$/.test(file))
  return files.sort().map((file) => `${file} ${createHash('sha256').update(readFileSync(join(repository, file))).digest('hex')}`)
}
