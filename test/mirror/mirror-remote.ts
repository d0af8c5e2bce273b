import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { Secret, type SettingValues } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'

import { s3 } from '../../plugins/s3/src/index.js'
import { linkPlugin } from '../fixtures/linked-plugin.js'
import { startRemote, type RemoteKind } from '../fixtures/remotes.js'
import { startBucket } from '../fixtures/s3-bucket.js'
import { startSshServer } from '../fixtures/ssh-server.js'
import type { Settings, World } from '../fixtures/world.js'

/** Where a mirror goes: by rclone to one of its kinds, or by a transport that is not bundled. */
export type MirrorKind = RemoteKind | 'plugin-rsync' | 'plugin-s3'

/** A copy as restic opens it. */
export interface Copy {
  readonly repository: string
  readonly environment: Readonly<Record<string, string>>
}

export interface MirrorRemote {
  /** What the configuration says of it. */
  readonly settings: Settings
  /** What the command of the tool that transfers begins with; `null` where stackbk does that itself. */
  readonly tool: string | null
  readonly copy: Copy
  /** For `rclone sync` by hand, to a folder of its own; `null` where there is no rclone. */
  readonly plain: { readonly address: string; readonly configFile: string; readonly copy: Copy } | null
  /** Paths and contents of what makes up the copy, as {@link filesOf} has them. */
  files(): Promise<readonly string[]>
  close(): Promise<void>
}

/** What makes a file a part of the repository. */
const isPart = /^(config|(data|index|keys|snapshots)\/.*[0-9a-f]{64})$/

export async function startMirrorRemote(kind: MirrorKind, world: World): Promise<MirrorRemote> {
  if (kind === 'plugin-rsync') return rsyncRemote(world)
  return kind === 'plugin-s3' ? bucketRemote(world) : rcloneRemote(kind)
}

async function rcloneRemote(kind: RemoteKind): Promise<MirrorRemote> {
  const remote = await startRemote(kind)
  const [path, plainPath] = [remote.freshPath(), remote.freshPath()]
  const copyAt = (folder: string): Copy => ({ repository: join(remote.folder ?? '', folder), environment: {} })
  return {
    settings: { cloud_sync: { RCLONE_CONFIG: remote.configFile, RCLONE_REMOTE: remote.name, RCLONE_PATH: path } },
    tool: 'rclone ',
    copy: copyAt(path),
    plain: { address: `${remote.name}:${plainPath}`, configFile: remote.configFile, copy: copyAt(plainPath) },
    files: () => Promise.resolve(filesOf(copyAt(path).repository)),
    close: () => remote.close(),
  }
}

async function rsyncRemote(world: World): Promise<MirrorRemote> {
  await linkPlugin(world, 'rsync')
  const server = await startSshServer()
  const folder = server.freshFolder()
  return {
    settings: { cloud_sync: { PROVIDER: 'rsync' }, 'plugin:rsync': server.settings(folder) },
    tool: 'rsync ',
    copy: { repository: server.placeOf(folder), environment: {} },
    plain: null,
    files: () => Promise.resolve(filesOf(server.placeOf(folder))),
    close: () => server.close(),
  }
}

async function bucketRemote(world: World): Promise<MirrorRemote> {
  await linkPlugin(world, 's3')
  const bucket = await startBucket()
  const settings = bucket.settings('restic')
  const defaults: SettingValues = Object.fromEntries(s3.settings.map((setting) => [setting.key, 'default' in setting ? setting.default : null]))
  const transport = await s3.create({ ...defaults, ...settings, SECRET_ACCESS_KEY: new Secret(bucket.secret) }, { signal: new AbortController().signal, log: () => {}, exec: createExec(), dryRun: true, cacheDir: world.root })
  return {
    // In parts, so that some of them are killed between two.
    settings: { cloud_sync: { PROVIDER: 's3' }, 'plugin:s3': { ...settings, PART_SIZE: 5 } },
    tool: null,
    copy: { repository: `s3:${bucket.endpoint}/${bucket.bucket}/restic`, environment: { AWS_ACCESS_KEY_ID: bucket.accessKey, AWS_SECRET_ACCESS_KEY: bucket.secret } },
    plain: null,
    files: async () => {
      const listed = await transport.list('')
      if (!listed.ok) throw new Error(listed.failure.message)
      const parts = listed.value.filter(({ path }) => isPart.test(path))
      return Promise.all(parts.map(async ({ path }) => lineOf(path, await bytesOf(path)))).then((lines) => lines.toSorted())
    },
    close: async () => {
      await transport.close()
      await bucket.close()
    },
  }

  async function bytesOf(path: string): Promise<Uint8Array> {
    const read = await transport.read(path)
    if (!read.ok) throw new Error(read.failure.message)
    return read.value
  }
}

/** Paths and contents of what makes up a repository. */
export function filesOf(repository: string): string[] {
  const files = (readdirSync(repository, { recursive: true }) as string[]).filter((file) => isPart.test(file))
  return files.map((file) => lineOf(file, readFileSync(join(repository, file)))).toSorted()
}

function lineOf(path: string, content: Uint8Array): string {
  return `${path} ${createHash('sha256').update(content).digest('hex')}`
}
