import { failed, type Answer, type CallOptions, type ProviderContext, type SettingValues, type Transport, type TransportTraits } from '@stackbk/contract'

import { examine } from './examine.js'
import { checkKnown, knownRemotes } from './known-remotes.js'
import { byHand, keepsakes } from './keepsakes.js'
import { listFiles } from './list.js'
import { moveAll, moveFile } from './move.js'
import { probe } from './probe.js'
import { createRclone } from './rclone.js'
import { readFile } from './read.js'
import { locationOf, remoteOf, type Remote } from './remote.js'
import { removeFiles } from './remove.js'
import { spaceOf } from './space.js'
import { askTraits } from './traits.js'
import { download, upload, type Pace } from './transfer.js'
import { installedVersion, tooOld } from './version.js'

/** How long `doctor` waits for the remote. */
const examinationLimitMs = 10_000

const defaultTransfers = 4

/** The transport that the settings describe. Runs nothing yet. */
export function createRcloneTransport(values: SettingValues, context: ProviderContext): Transport {
  const configFile = stringOf(values['RCLONE_CONFIG'])
  const rclone = createRclone(context.exec, configFile)
  const configured = remoteOf(values)
  const bandwidth = stringOf(values['BANDWIDTH'])
  const pace: Pace = { transfers: typeof values['TRANSFERS'] === 'number' ? values['TRANSFERS'] : defaultTransfers, bandwidth }
  // rclone checks its flags before anything else, so a bandwidth that is none shows in any call.
  const flags = bandwidth === null ? [] : [`--bwlimit=${bandwidth}`]
  let traits: TransportTraits | null = null

  const withRemote = async <T>(work: (remote: Remote) => Promise<Answer<T>>): Promise<Answer<T>> => (configured.ok ? work(configured.value) : configured)
  const version = (options: CallOptions = {}) => installedVersion(rclone, options.signal)
  const known = (options: CallOptions = {}) => knownRemotes(rclone, { configFile, flags, signal: options.signal })
  const isKnown = (options: CallOptions = {}) =>
    withRemote(async (remote) => {
      const remotes = await known(options)
      return remotes.ok ? checkKnown(remote, remotes.value) : remotes
    })

  return {
    location: locationOf(configured),

    async ready(options) {
      const [found, isThere] = await Promise.all([version(options), isKnown(options)])
      if (!found.ok) return found
      return tooOld(found.value) ?? isThere
    },
    examine: (options) =>
      examine({
        location: locationOf(configured),
        version: () => version(options),
        known: () => isKnown(options),
        reached: () => withRemote((remote) => probe(rclone, remote, { timeoutMs: examinationLimitMs, ...(options?.signal === undefined ? {} : { signal: options.signal }) })),
      }),
    close: async () => {},
    keepsakes: (options) => keepsakes(rclone, configFile, options),

    probe: (request) => withRemote((remote) => probe(rclone, remote, request)),
    traits: (options) =>
      withRemote(async (remote) => {
        if (traits !== null) return { ok: true, value: traits }
        const [found, remotes] = await Promise.all([version(options), known(options)])
        if (!found.ok) return found
        if (!remotes.ok) return remotes
        const answer = await askTraits(rclone, remote, { version: found.value, type: remotes.value.get(remote.name) ?? '', signal: options?.signal })
        if (answer.ok) traits = answer.value
        return answer
      }),
    list: (prefix, options) => withRemote((remote) => listFiles(rclone, remote, prefix, options)),
    upload: (request) => withRemote((remote) => unlessDry(context, () => upload(rclone, remote, pace, request))),
    download: (request) => withRemote((remote) => unlessDry(context, () => download(rclone, remote, pace, request))),
    read: (path, request) => withRemote((remote) => readFile(rclone, remote, path, request)),
    move: (from, to, options) => withRemote((remote) => unlessDry(context, () => moveFile(rclone, remote, from, to, options))),
    moveAll: (files, request) => withRemote((remote) => unlessDry(context, () => moveAll(rclone, remote, files, request))),
    remove: (files, options) => withRemote((remote) => unlessDry(context, () => removeFiles(rclone, remote, files, options))),
    space: (options) => withRemote((remote) => spaceOf(rclone, remote, options)),
    byHand: ({ localRoot }) => byHand(locationOf(configured), localRoot),
  }
}

/** The core does not call what changes things in a dry run; should it ever, nothing happens all the same. */
async function unlessDry<T>(context: ProviderContext, work: () => Promise<Answer<T>>): Promise<Answer<T>> {
  if (context.dryRun) return failed({ kind: 'failed', message: 'a dry run transfers and changes nothing' })
  return work()
}

function stringOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
