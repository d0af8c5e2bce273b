import { answered, failed, parseBandwidth, type Answer, type BandwidthTimetable, type CallOptions, type ProviderContext, type SettingValues, type Transport, type TransportTraits } from '@stackbk/contract'

import { examine } from './examine.js'
import { byHand, keepsakes } from './keepsakes.js'
import { listFiles, probe } from './list.js'
import { moveFile } from './move.js'
import { locationOf, placeOf } from './place.js'
import { readFile } from './read.js'
import { moveAll, removeFiles } from './remove.js'
import { createRsync, type Rsync } from './rsync.js'
import { spaceOf } from './space.js'
import { checkFiles, installedVersion, isNewEnough, sshVersion, tooOld } from './tools.js'
import { download, upload } from './transfer.js'

/** How long `doctor` waits for the server. */
const examinationLimitMs = 10_000

/**
 * rsync writes under another name and renames, on both sides; a move is a rename there, or is sent again in the same way.
 * Whether an older one there renames over a file in one step is not sure. It has no way to ask for a part of a file.
 */
const traits: TransportTraits = { appearsWhole: true, movesWhole: true, movesAtomically: false, readsRanges: false }

/** The transport that the settings describe. Runs nothing yet. */
export function createRsyncTransport(values: SettingValues, context: ProviderContext): Transport {
  const { exec } = context
  const place = placeOf(values)
  const timetable = timetableOf(values)
  const withRsync = async <T>(work: (rsync: Rsync) => Promise<Answer<T>>): Promise<Answer<T>> => (place.ok ? work(createRsync(exec, place.value)) : place)
  const unlessDry = <T>(work: (rsync: Rsync, timetable: BandwidthTimetable | null) => Promise<Answer<T>>): Promise<Answer<T>> =>
    withRsync(async (rsync) => {
      if (context.dryRun) return failed({ kind: 'failed', message: 'a dry run transfers and changes nothing' })
      return timetable.ok ? work(rsync, timetable.value) : timetable
    })
  const configured = async (): Promise<Answer<void>> => (!place.ok ? place : timetable.ok ? checkFiles(place.value) : timetable)
  const reached = (request: { readonly timeoutMs: number } & CallOptions): Promise<Answer<void>> => withRsync((rsync) => probe(rsync, request))

  return {
    location: locationOf(place),

    async ready(options) {
      const [version, ssh, files] = await Promise.all([installedVersion(exec, options?.signal), sshVersion(exec, options?.signal), configured()])
      if (!version.ok) return version
      if (!isNewEnough(version.value)) return tooOld(version.value)
      if (!ssh.ok) return ssh
      return files
    },
    examine: (options) =>
      examine({
        location: locationOf(place),
        version: () => installedVersion(exec, options?.signal),
        ssh: () => sshVersion(exec, options?.signal),
        configured,
        reached: () => reached({ timeoutMs: examinationLimitMs, ...(options?.signal === undefined ? {} : { signal: options.signal }) }),
      }),
    close: async () => {},
    keepsakes: (options) => withRsync(() => (place.ok ? keepsakes(exec, place.value, options) : Promise.resolve(answered([])))),

    probe: reached,
    traits: () => withRsync(async () => answered(traits)),
    list: (prefix, options) => withRsync((rsync) => listFiles(rsync, prefix, options)),
    upload: (request) => unlessDry((rsync, limit) => upload(rsync, limit, request)),
    download: (request) => unlessDry((rsync, limit) => download(rsync, limit, request)),
    read: (path, request) => withRsync((rsync) => readFile(rsync, path, request)),
    move: (from, to, options) => unlessDry((rsync) => moveFile(rsync, from, to, options)),
    moveAll: (files, request) => unlessDry((rsync) => moveAll(rsync, files, request)),
    remove: (files, options) => unlessDry((rsync) => removeFiles(rsync, files, options)),
    space: (options) => withRsync(({ place: known }) => spaceOf(exec, known, options)),
    byHand: ({ localRoot }) => (place.ok ? byHand(place.value, localRoot) : []),
  }
}

/** `null`: no limit. */
function timetableOf(values: SettingValues): Answer<BandwidthTimetable | null> {
  const text = values['BANDWIDTH']
  if (typeof text !== 'string' || text.trim() === '') return answered(null)
  const timetable = parseBandwidth(text)
  if (timetable !== null) return answered(timetable)
  return failed({ kind: 'configuration', message: `BANDWIDTH is no bandwidth: ${text}`, fix: 'Set BANDWIDTH as rclone writes it, such as 10M or "08:00,512k 23:00,off"' })
}
