import type { Settings } from '../fixtures/world.js'

/** What the environment asks for. Without `MATRIX=full` it is a small sample of all, for every test run. */
export interface MatrixOptions {
  readonly isFull: boolean
  /** Stop modes, each with a world of its own, side by side. `MATRIX_MODES`: names with commas between. */
  readonly modes: readonly string[]
  /** Random moments for each kind of SIGKILL in each mode. `MATRIX_RANDOM`. */
  readonly randomMoments: number
  /** The same for each of the signals that can be answered. `MATRIX_RANDOM` as well; the sample meets those at steps alone. */
  readonly randomSignals: number
  /** At each step for each kind, or at so many of them. `MATRIX_STEPS`. */
  readonly mostSteps: number
  /** Nights of the host with everything at once. `MATRIX_NIGHTS`. */
  readonly hostNights: number
  /** The same seed chooses the same moments. `MATRIX_SEED`. */
  readonly seed: number
  /** Merged into the configuration: `MATRIX_SETTINGS='{"docker":{"WARM_PASS":true}}'`. */
  readonly settings: Settings
  /** Where the stacks' folders are made, such as on a btrfs. `MATRIX_STACKS_PARENT`. */
  readonly stacksParent: string | null
  /** False for a stack all of which lies in its folder. `MATRIX_VOLUME=false`. */
  readonly hasVolume: boolean
  /** A shell command that has to succeed after each recovery, such as one that looks for frozen copies. `MATRIX_CHECK`. */
  readonly furtherCheck: string | null
  /** Every kill is a line of the output. `MATRIX_VERBOSE`. */
  readonly isVerbose: boolean
  /** Where the table of all kills goes; null for the output. `MATRIX_REPORT`. */
  readonly report: string | null
}

export function matrixOptions(environment: NodeJS.ProcessEnv = process.env): MatrixOptions {
  const isFull = environment['MATRIX'] === 'full'
  const number = (name: string, otherwise: number): number => {
    const value = environment[name] ?? ''
    if (value === '') return otherwise
    if (!/^\d+$/.test(value)) throw new Error(`${name} is no number: ${value}`)
    return Number(value)
  }
  return {
    isFull,
    modes: (environment['MATRIX_MODES'] ?? (isFull ? 'down,stop,pause' : 'down,stop')).split(','),
    randomMoments: number('MATRIX_RANDOM', isFull ? 50 : 1),
    randomSignals: number('MATRIX_RANDOM', isFull ? 50 : 0),
    mostSteps: number('MATRIX_STEPS', isFull ? Number.POSITIVE_INFINITY : 1),
    hostNights: number('MATRIX_NIGHTS', isFull ? 30 : 1),
    seed: number('MATRIX_SEED', Date.now() % 1_000_000),
    settings: JSON.parse(environment['MATRIX_SETTINGS'] ?? '{}') as Settings,
    stacksParent: environment['MATRIX_STACKS_PARENT'] ?? null,
    hasVolume: environment['MATRIX_VOLUME'] !== 'false',
    furtherCheck: environment['MATRIX_CHECK'] ?? null,
    isVerbose: isFull || environment['MATRIX_VERBOSE'] !== undefined,
    report: environment['MATRIX_REPORT'] ?? null,
  }
}

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
