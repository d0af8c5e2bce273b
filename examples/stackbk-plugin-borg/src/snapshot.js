import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { lstat } from 'node:fs/promises'

import { answered, done, failed } from '@stackbk/contract'

import { endedWell, parsed } from './borg.js'

const mostUnreadable = 100

/**
 * borg cannot open a repository and wait: the first phase only proves that it opens and reads what the second phase needs to know,
 * so a kill in between leaves nothing. The second phase opens it again, which lengthens the downtime by about half a second.
 *
 * @returns {import('@stackbk/contract').PreparedSnapshot}
 */
export function prepareSnapshot(engine, borg, request) {
  const what = `the snapshot of ${request.paths.join(', ')} could not be made`
  const time = new Date().toISOString()
  let isAbandoned = false
  const begin = async () => {
    for (const path of request.paths) {
      const found = await lstat(path).catch(() => null)
      if (found?.isSymbolicLink()) return failed({ kind: 'usage', message: `${path} is a symbolic link` })
    }
    const listed = await engine.snapshots()
    if (!listed.ok) return listed
    if (request.parent !== null && !listed.value.some(({ id }) => id === request.parent)) return failed({ kind: 'not-found', message: `there is no snapshot ${request.parent}` })
    return done
  }
  const ready = begin()

  const take = async ({ signal } = {}) => {
    const opened = await ready
    if (!opened.ok) return opened
    if (isAbandoned || signal?.aborted) return failed({ kind: 'cancelled', message: `${what}: it was cancelled` })
    const id = randomBytes(32).toString('hex')
    const counts = { A: 0, M: 0, U: 0 }
    const unreadable = []
    let last = { path: '', status: '' }
    const result = await borg.run(
      [
        'create', '--json', '--list', '--filter=AMCUE', `--comment=${noteOf({ ...request, time })}`,
        // Without a parent everything is read, and known from then on.
        `--files-cache=${request.parent === null ? 'rechunk,ctime' : 'ctime,size,inode'}`,
        ...request.excludes.map((pattern) => `--exclude=${pattern}`), ...literalPatterns(request),
        '--', `${borg.repository}::${id}`, ...request.paths,
      ],
      {
        signal, bindMounts: request.bindMounts, timeoutMs: request.timeoutMs, stallTimeoutMs: request.stallTimeoutMs, keepBytes: 1024 * 1024,
        onStderrLine: (line) => {
          const entry = parsed(line)
          if (entry?.type === 'file_status') {
            const status = entry.status === 'C' ? 'M' : entry.status
            // What cannot be read is first called added.
            if (status === 'E' && last.path === entry.path) counts[last.status] -= 1
            if (status === 'E') unreadable.push(entry.path)
            else counts[status] += 1
            last = { path: entry.path, status }
          }
          else if (entry?.levelname === 'WARNING' && !/file changed while we backed it up/.test(entry.message)) unreadable.push(entry.message)
        },
      },
    )
    if (!endedWell(result)) return borg.failed(result, what)
    const made = await engine.find(id)
    if (!made.ok) return made
    const stats = parsed(result.stdout)?.archive?.stats ?? {}
    return answered({
      id, isComplete: unreadable.length === 0, unreadable: unreadable.slice(0, mostUnreadable),
      bytesAdded: stats.deduplicated_size ?? 0, bytesProcessed: made.value.bytes ?? 0,
      filesNew: counts.A, filesChanged: counts.M, filesUnmodified: counts.U,
    })
  }

  return {
    ready,
    take,
    abandon: async () => {
      isAbandoned = true
      await ready
    },
  }
}

const prefix = 'stackbk:'

/** Returns what borg itself does not record, as the comment of an archive. Encoded, since borg replaces what is in braces there. */
export function noteOf({ tags, host, paths, parent, time }) {
  return prefix + Buffer.from(JSON.stringify({ tags, host, paths, parent, time })).toString('base64url')
}

/** Returns what {@link noteOf} has put into a comment; `null` for an archive that stackbk did not make. */
export function readNote(comment) {
  return comment.startsWith(prefix) ? parsed(Buffer.from(comment.slice(prefix.length), 'base64url').toString()) : null
}

/** What is left out by its path, with what is asked for below it. The first pattern that fits decides, so deeper paths come first. */
function literalPatterns({ paths, excludePaths = [] }) {
  const below = (path, folder) => path.startsWith(`${folder}/`)
  const included = paths.filter((path) => excludePaths.some((excluded) => below(path, excluded)))
  return [...included.map((path) => ({ path, sign: '+' })), ...excludePaths.map((path) => ({ path, sign: '-' }))]
    .sort((one, other) => other.path.length - one.path.length)
    .map(({ path, sign }) => `--pattern=${sign}pp:${path}`)
}
