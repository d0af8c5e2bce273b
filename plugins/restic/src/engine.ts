import { done, failed, type Engine, type PreparedSnapshot, type ProviderContext, type SettingValues } from '@stackbk/contract'

import { checkRepository } from './check.js'
import { eachEntryBelow, listEntries, readEntry } from './contents.js'
import { excludeFilter } from './exclude-filter.js'
import { examine } from './examine.js'
import { completeCopy, layout } from './layout.js'
import { removeLocksOfKilled, removeStaleLocks } from './locks.js'
import { passwordProblem, passwordSourceOf } from './password.js'
import { placeOf } from './place.js'
import { prepareSnapshot } from './prepare.js'
import { byHand, keepsakes } from './keepsakes.js'
import { initRepository, openRepository } from './repository.js'
import { Restic } from './restic.js'
import { restoreSnapshot } from './restore.js'
import { forgetSnapshots, retainSnapshots } from './retention.js'
import { listSnapshots } from './snapshots.js'
import { tagSnapshot } from './tagging.js'
import { toolCommands } from './tool-commands.js'
import { verifySnapshots } from './verify.js'

/** The engine for the repository and password that are configured. */
export function createResticEngine(values: SettingValues, context: ProviderContext): Engine {
  const repository = values['RESTIC_REPOSITORY']
  const lockTimeout = values['LOCK_TIMEOUT']
  const place = placeOf(typeof repository === 'string' ? repository : '')
  return engineOn(new Restic({ place, password: passwordSourceOf(values), lockWaitMs: typeof lockTimeout === 'number' ? lockTimeout : 0, usesCache: true }, context))
}

function engineOn(restic: Restic): Engine {
  const { place } = restic
  const prepared = new Set<PreparedSnapshot>()
  /** What wants the repository for itself comes outside of any stack's downtime. */
  const alone = async <T>(call: () => Promise<T>): Promise<T> => {
    await removeLocksOfKilled(restic)
    return await call()
  }
  return {
    async ready(options) {
      const version = await restic.version(options)
      if (!version.ok) return version
      const problem = place.problem ?? passwordProblem(restic.password)
      return problem === null ? done : failed(problem)
    },
    examine: (options) => examine(restic, options),
    keepsakes: (options) => keepsakes(restic.exec, restic.password, options),
    async close() {
      await Promise.all([...prepared].map((snapshot) => snapshot.abandon()))
      await removeLocksOfKilled(restic)
    },
    open: (options) => openRepository(restic, options),
    init: (options) => initRepository(restic, options),
    async repositoryId(options) {
      const opened = await openRepository(restic, options)
      return opened.ok ? { ok: true, value: opened.value.id } : opened
    },
    location: () => ({ display: place.display, path: place.path }),
    at: (path) => engineOn(restic.on(placeOf(path))),
    prepare(request) {
      const snapshot = prepareSnapshot(restic, request)
      const forgetIt = (): boolean => prepared.delete(snapshot)
      prepared.add(snapshot)
      return {
        ready: snapshot.ready,
        take: (options) => snapshot.take(options).finally(forgetIt),
        abandon: () => snapshot.abandon().finally(forgetIt),
      }
    },
    verify: (snapshots, depth, options) => verifySnapshots(restic, snapshots, depth, options),
    async snapshots(filter, options) {
      const listed = await listSnapshots(restic, filter, options)
      return listed.ok ? { ok: true, value: listed.value.map(({ original: _, ...snapshot }) => snapshot) } : listed
    },
    list: (snapshot, options) => listEntries(restic, snapshot, options),
    eachEntry: (snapshot, onEntry, options) => eachEntryBelow(restic, snapshot, onEntry, options),
    excludeFilter,
    tag: (snapshot, change, options) => alone(() => tagSnapshot(restic, snapshot, change, options)),
    forget: (snapshots, request) => alone(() => forgetSnapshots(restic, snapshots, request)),
    retain: (request) => alone(() => retainSnapshots(restic, request)),
    check: (request) => alone(() => checkRepository(restic, request)),
    restore: (request) => restoreSnapshot(restic, request),
    read: (snapshot, path, options) => readEntry(restic, snapshot, path, options),
    removeStaleLocks: (options) => removeStaleLocks(restic, options),
    layout: () => layout,
    completeCopy,
    byHand: ({ repository }) => byHand(repository),
    toolCommands: ({ repository }) => toolCommands(repository ?? place.display),
  }
}
