import { dirname } from 'node:path'

import { answered, failed, hasRawBytes, type Answer, type CallOptions, type SnapshotEntry } from '@stackbk/contract'

import { InexactPaths } from './inexact-paths.js'
import { asNumber, asString, parseObject, type JsonObject } from './json.js'
import type { Restic, ResticCall } from './restic.js'
import { utc } from './snapshots.js'

interface EntriesRequest extends CallOptions {
  readonly cache?: boolean
  readonly path?: string
  readonly below?: string
}

/**
 * Calls `onEntry` for each file and folder of the snapshot, without keeping them: there may be millions. From the first path on that
 * restic's JSON does not name exactly, they are listed once more, with the exact paths.
 */
export async function eachEntry(restic: Restic, snapshot: string, onEntry: (entry: SnapshotEntry) => void, request: EntriesRequest = {}): Promise<Answer<void>> {
  const inexact = new InexactPaths()
  const listed = await eachNode(restic, snapshot, (node) => {
    inexact.add(asString(node['path']))
    if (inexact.isEmpty) onEntry(entryOf(node))
  }, request)
  if (!listed.ok || inexact.isEmpty) return listed
  const exact = await inexact.resolve((onLine) => restic.run({ ...callOf(snapshot, request), isPlain: true, lineEncoding: 'latin1', onStdoutLine: onLine }), (result) => restic.failed(result, `the snapshot ${snapshot} cannot be listed`))
  if (!exact.ok) return exact
  let index = -1
  return eachNode(restic, snapshot, (node) => {
    index++
    if (index >= inexact.firstIndex) onEntry({ ...entryOf(node), path: exact.value.get(index) ?? asString(node['path']) })
  }, request)
}

function callOf(snapshot: string, request: EntriesRequest): ResticCall {
  return {
    command: 'ls',
    // Only the trees of this folder are loaded then.
    flags: request.below === undefined ? [] : ['--recursive'],
    operands: [snapshot, ...[request.path, request.below].flatMap((path) => (path === undefined ? [] : argumentFor(path)))],
    locking: 'if-possible',
    ...(request.cache === undefined ? {} : { cache: request.cache }),
    keepBytes: 64 * 1024,
    options: request,
  }
}

/** The path, or the nearest folder above that can be an argument: those are UTF-8. */
function argumentFor(path: string): readonly string[] {
  let argument = path
  while (hasRawBytes(argument)) argument = dirname(argument)
  return argument === '/' && path !== '/' ? [] : [argument]
}

async function eachNode(restic: Restic, snapshot: string, onNode: (node: JsonObject) => void, request: EntriesRequest): Promise<Answer<void>> {
  const result = await restic.run({
    ...callOf(snapshot, request),
    onStdoutLine: (line) => {
      const node = parseObject(line)
      if (node?.['struct_type'] === 'node') onNode(node)
    },
  })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, `the snapshot ${snapshot} cannot be listed`)
  return { ok: true, value: undefined }
}

export async function listEntries(restic: Restic, snapshot: string, request: { readonly below?: string } & CallOptions = {}): Promise<Answer<readonly SnapshotEntry[]>> {
  const entries: SnapshotEntry[] = []
  const listed = await eachEntryBelow(restic, snapshot, (entry) => entries.push(entry), request)
  return listed.ok ? answered(entries) : listed
}

/** As {@link eachEntry}, of a path and what is in it. */
export function eachEntryBelow(restic: Restic, snapshot: string, onEntry: (entry: SnapshotEntry) => void, request: { readonly below?: string } & CallOptions = {}): Promise<Answer<void>> {
  const { below } = request
  const isWanted = (path: string): boolean => below === undefined || path === below || path.startsWith(`${below}/`)
  return eachEntry(restic, snapshot, (entry) => { if (isWanted(entry.path)) onEntry(entry) }, request)
}

/** One file's content. A folder is a failure: restic would give an archive of it. */
export async function readEntry(restic: Restic, snapshot: string, path: string, options: CallOptions = {}): Promise<Answer<Uint8Array>> {
  const result = await restic.run({ command: 'dump', operands: [snapshot, path], locking: 'if-possible', stdout: 'bytes', options })
  if (result.outcome !== 'exited' || result.exitCode !== 0) {
    return restic.failed(result, `${path} of the snapshot ${snapshot} cannot be read`)
  }
  if (!looksLikeArchive(result.stdoutBytes)) return answered(result.stdoutBytes)
  let type = ''
  const listed = await eachEntry(restic, snapshot, (entry) => (type = entry.path === path ? entry.type : type), { ...options, path })
  if (!listed.ok) return listed
  return type === 'directory'
    ? failed({ kind: 'not-found', message: `${path} of the snapshot ${snapshot} is a folder, not a file` })
    : answered(result.stdoutBytes)
}

/** The mark of a tar header (POSIX.1-1988, at byte 257), or the zeros that an empty archive consists of. */
function looksLikeArchive(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length % 512 !== 0) return false
  return Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar' || bytes.subarray(0, 512).every((byte) => byte === 0)
}

function entryOf(node: JsonObject): SnapshotEntry {
  return {
    path: asString(node['path']),
    type: typeOf(asString(node['type'])),
    bytes: asNumber(node['size']),
    mode: permissions(asNumber(node['mode'])),
    uid: asNumber(node['uid']),
    gid: asNumber(node['gid']),
    modifiedAt: utc(asString(node['mtime'])),
  }
}

function typeOf(type: string): SnapshotEntry['type'] {
  switch (type) {
    case 'file':
    case 'symlink':
      return type
    case 'dir':
      return 'directory'
    default:
      return 'other'
  }
}

/** restic keeps Go's os.FileMode, where setuid, setgid and sticky are elsewhere than in chmod(2). */
function permissions(mode: number): number {
  const bit = (position: number, value: number): number => (Math.floor(mode / 2 ** position) % 2 === 1 ? value : 0)
  return (mode % 0o1000) + bit(23, 0o4000) + bit(22, 0o2000) + bit(20, 0o1000)
}
