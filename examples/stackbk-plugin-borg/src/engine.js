import { randomBytes } from 'node:crypto'
import { realpath } from 'node:fs/promises'

import { answered, done, failed, shellWord } from '@stackbk/contract'

import { Borg, endedWell, parsed } from './borg.js'
import { entryOf, patternOf } from './entries.js'
import { restoreSnapshot } from './restore.js'
import { noteOf, prepareSnapshot, readNote } from './snapshot.js'

/**
 * An archive of borg is a snapshot; its name is the ID, and its comment holds what borg does not record. There is no `layout`:
 * borg changes its files in place, so a copy by files is not valid at every instant. There is no `retain`: the core does it.
 *
 * @returns {import('@stackbk/contract').Engine}
 */
export function createBorgEngine(place, context) {
  return engineOn(new Borg(place, context))
}

function engineOn(borg) {
  const at = borg.repository
  const archive = (id) => `${at}::${id}`

  /** Returns the archives. borg leaves out checkpoints of interrupted runs. */
  const archives = async ({ signal } = {}) => {
    const result = await borg.run(['info', '--json', '--glob-archives=*', '--', at], { signal })
    if (!endedWell(result)) return borg.failed(result, `the snapshots of ${at} cannot be listed`)
    return answered((parsed(result.stdout)?.archives ?? []).filter(({ name }) => !name.includes('.checkpoint')).map(snapshotOf).sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0)))
  }

  const find = async (id, options) => {
    const listed = await archives(options)
    if (!listed.ok) return listed
    const found = listed.value.find((snapshot) => snapshot.id === id)
    return found === undefined ? failed({ kind: 'not-found', message: `there is no snapshot ${id} in ${at}` }) : answered(found)
  }

  const open = async ({ signal } = {}) => {
    const result = await borg.run(['info', '--json', '--', at], { signal })
    if (!endedWell(result)) return borg.failed(result, `the repository ${at} cannot be opened`)
    return answered({ id: parsed(result.stdout)?.repository?.id ?? '', location: at, path: await realpath(at) })
  }

  const list = async (id, { below, signal } = {}) => {
    const entries = []
    const result = await borg.run(['list', '--json-lines', '--format={mode}{uid}{gid}{size}{mtime}{type}{path}', '--', archive(id), ...(below === undefined ? [] : [patternOf(below)])], { signal, keepBytes: 1024, onStdoutLine: (line) => line !== '' && entries.push(entryOf(line)) })
    return endedWell(result) ? answered(entries) : borg.failed(result, `the snapshot ${id} cannot be listed`)
  }

  const engine = {
    async ready({ signal } = {}) {
      const result = await borg.run(['--version'], { signal })
      if (!endedWell(result)) return borg.failed(result, 'borg does not answer')
      return at === '' ? failed({ kind: 'configuration', message: 'no repository is configured', fix: 'Set REPOSITORY in [plugin:borg]' }) : done
    },
    async examine(options) {
      const ready = await engine.ready(options)
      if (!ready.ok) return [{ id: 'borg.tool', status: 'failed', found: ready.failure.message, needed: 'borg 1.2', fix: ready.failure.fix ?? '', isToolTrouble: ready.failure.kind === 'tool-missing' }]
      const opened = await open(options)
      return [
        { id: 'borg.tool', status: 'ok', found: 'borg answers', needed: 'borg 1.2', fix: '' },
        { id: 'borg.repository', status: opened.ok ? 'ok' : 'failed', found: opened.ok ? at : opened.failure.message, needed: 'a repository that opens', fix: opened.ok ? '' : 'See: borg info' },
      ]
    },
    close: async () => {},
    open,
    async init(options) {
      const result = await borg.run(['init', '--encryption=repokey-blake2', '--make-parent-dirs', '--', at], options)
      return endedWell(result) && result.exitCode === 0 ? open(options) : borg.failed(result, `no repository could be made at ${at}`)
    },
    async repositoryId(options) {
      const opened = await open(options)
      return opened.ok ? answered(opened.value.id) : opened
    },
    location: () => ({ display: at, path: at === '' ? null : at }),
    at: (path) => engineOn(borg.on(path)),
    prepare: (request) => prepareSnapshot(engine, borg, request),
    async verify(requests, depth, options) {
      const results = []
      for (const request of requests) {
        const verdict = await verdictOn(request, depth, options)
        if (!verdict.ok) return verdict
        results.push({ id: request.id, isSound: verdict.value === '', reason: verdict.value })
      }
      return answered(results)
    },
    async snapshots({ host, tags = [] } = {}, options = {}) {
      const listed = await archives(options)
      return listed.ok ? answered(listed.value.filter((snapshot) => (host === undefined || snapshot.host === host) && tags.every((tag) => snapshot.tags.includes(tag)))) : listed
    },
    find,
    list,
    async tag(id, { add = [], remove = [] }, options) {
      const found = await find(id, options)
      if (!found.ok) return found
      const tags = [...found.value.tags.filter((tag) => !remove.includes(tag)), ...add.filter((tag) => !found.value.tags.includes(tag))]
      if (JSON.stringify(tags) === JSON.stringify(found.value.tags)) return answered({ id })
      const changed = randomBytes(32).toString('hex')
      // Killed in between, the snapshot has its new tags under its old name.
      for (const args of [['recreate', `--comment=${noteOf({ ...found.value, tags })}`, '--', archive(id)], ['rename', '--', archive(id), changed]]) {
        const result = await borg.run(args, options)
        if (!endedWell(result)) return borg.failed(result, `the tags of ${id} could not be changed`)
      }
      return answered({ id: changed })
    },
    async forget(ids, { prune, signal }) {
      const listed = await archives({ signal })
      if (!listed.ok) return listed
      const removed = ids.filter((id) => listed.value.some((snapshot) => snapshot.id === id))
      for (const args of [...(removed.length === 0 ? [] : [['delete', '--', at, ...removed]]), ...(prune ? [['compact', '--', at]] : [])]) {
        const result = await borg.run(args, { signal })
        if (!endedWell(result)) return borg.failed(result, 'the snapshots could not be removed')
      }
      return answered({ removed })
    },
    async check({ readDataPercent, signal }) {
      const result = await borg.run(['check', ...(readDataPercent > 0 ? ['--verify-data'] : []), '--', at], { signal })
      if (result.problem === null && result.outcome === 'exited' && result.exitCode === 0) return answered({ isSound: true, errors: [] })
      const failure = borg.failed(result, `the repository ${at} could not be checked`)
      if (!endedWell(result) && failure.failure.kind !== 'corrupt') return failure
      return answered({ isSound: false, errors: [...result.messages.filter(({ level }) => level !== 'INFO').map(({ text }) => text), 'borg check found problems'].slice(0, 100) })
    },
    async restore(request) {
      const found = await find(request.snapshot, { signal: request.signal })
      return found.ok ? restoreSnapshot(engine, borg, request) : found
    },
    async read(id, path, { signal } = {}) {
      const listed = await list(id, { below: path, signal })
      if (!listed.ok) return listed
      if (listed.value.find((entry) => entry.path === path)?.type !== 'file') return failed({ kind: 'not-found', message: `there is no file ${path} in the snapshot ${id}` })
      const result = await borg.run(['extract', '--stdout', '--', archive(id), `pf:${path.slice(1)}`], { signal, stdout: 'bytes' })
      return endedWell(result) ? answered(result.stdoutBytes) : borg.failed(result, `${path} could not be read`)
    },
    // borg itself breaks a lock of this host whose process is gone.
    removeStaleLocks: async () => answered({ removed: 0, held: [] }),
    toolCommands: ({ repository }) => {
      const word = shellWord(repository ?? at)
      return { list: `borg list ${word}`, check: `borg check ${word}`, checkData: `borg check --verify-data ${word}`, repair: `borg check --repair ${word}` }
    },
  }

  /** Returns why a snapshot is not intact; an empty text where it is. */
  const verdictOn = async ({ id, files, bytes }, depth, { signal } = {}) => {
    const listed = await list(id, { signal })
    if (!listed.ok) return ['not-found', 'corrupt'].includes(listed.failure.kind) ? answered(listed.failure.message) : listed
    const held = listed.value.filter(({ type }) => type === 'file')
    if (files !== null && held.length !== files) return answered(`it holds ${held.length} files, and ${files} were read`)
    const size = held.reduce((sum, entry) => sum + entry.bytes, 0)
    if (bytes !== null && size !== bytes) return answered(`it holds ${size} bytes, and ${bytes} were read`)
    if (depth !== 'data') return answered('')
    const read = await borg.run(['extract', '--dry-run', '--', archive(id)], { signal })
    if (read.problem === null && read.outcome === 'exited') return answered(read.exitCode === 0 ? '' : 'its data cannot be read')
    return borg.failed(read, `the snapshot ${id} could not be read`)
  }
  return engine
}

function snapshotOf({ name, comment, hostname, start, stats }) {
  const note = readNote(comment ?? '') ?? { time: new Date(`${start}Z`).toISOString(), host: hostname, paths: [], tags: [], parent: null }
  return { ...note, id: name, tree: name, bytes: stats?.original_size ?? null, files: stats?.nfiles ?? null }
}
