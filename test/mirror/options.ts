import type { MirrorKind } from './mirror-remote.js'

/** What a killed sync is doing: bringing new snapshots, or also taking away what was forgotten and pruned. */
export type Work = 'adding' | 'pruning'

/** Who is killed: stackbk alone, the tool that transfers for it, or both. */
export type Victim = 'stackbk' | 'tool' | 'both'

export const victims: readonly Victim[] = ['stackbk', 'tool', 'both']

/** What the environment asks for. Without `MIRROR=full` it is a small sample, for every test run. */
export interface MirrorOptions {
  readonly isFull: boolean
  /** `MIRROR_REMOTES`: names with commas between. */
  readonly remotes: readonly MirrorKind[]
  /** For each remote and work. `MIRROR_KILLS`. */
  readonly kills: number
  /** The same seed chooses the same moments. `MIRROR_SEED`. */
  readonly seed: number
  /** Also kill a plain `rclone sync` of the same repository, for the record. `MIRROR_PLAIN=false` leaves it out. */
  readonly withPlain: boolean
  /** Syncs beside another restic that backs up and prunes. `MIRROR_BESIDE`. */
  readonly besideRestic: number
  /** Nights of backup, retention and sync. `MIRROR_NIGHTS`. */
  readonly nights: number
  /** Where the table goes; null for the output. `MIRROR_REPORT`. */
  readonly report: string | null
}

export function mirrorOptions(environment: NodeJS.ProcessEnv = process.env): MirrorOptions {
  const isFull = environment['MIRROR'] === 'full'
  const number = (name: string, otherwise: number): number => {
    const value = environment[name] ?? ''
    if (value === '') return otherwise
    if (!/^\d+$/.test(value)) throw new Error(`${name} is no number: ${value}`)
    return Number(value)
  }
  return {
    isFull,
    remotes: (environment['MIRROR_REMOTES'] ?? (isFull ? 'folder,sftp,webdav,plugin-rsync,plugin-s3' : 'webdav,plugin-rsync,plugin-s3')).split(',') as MirrorKind[],
    kills: number('MIRROR_KILLS', isFull ? 30 : 2),
    seed: number('MIRROR_SEED', Date.now() % 1_000_000),
    withPlain: isFull && environment['MIRROR_PLAIN'] !== 'false',
    besideRestic: number('MIRROR_BESIDE', isFull ? 30 : 2),
    nights: number('MIRROR_NIGHTS', isFull ? 30 : 3),
    report: environment['MIRROR_REPORT'] ?? null,
  }
}
