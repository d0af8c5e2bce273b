import { answered, failed, type Answer, type CallOptions, type ProviderContext, type SettingValues, type Transport } from '@stackbk/contract'

import { examine } from './examine.js'
import { checkKnown, knownRemotes } from './known-remotes.js'
import { byHand, configurationPath, keepsakes } from './keepsakes.js'
import { listFiles } from './list.js'
import { moveAll, moveFile } from './move.js'
import { probe } from './probe.js'
import { createRclone } from './rclone.js'
import { readFile } from './read.js'
import { locationOf, remoteOf, type Remote } from './remote.js'
import { removeFiles } from './remove.js'
import { returnRenewed } from './renewed.js'
import { spaceOf } from './space.js'
import { askAbilities, type Abilities } from './traits.js'
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
  const pace: Pace = { transfers: typeof values['TRANSFERS'] === 'number' ? values['TRANSFERS'] : defaultTransfers, bandwidth, hash: null }
  // rclone checks its flags before anything else, so a bandwidth that is none shows in any call.
  const flags = bandwidth === null ? [] : [`--bwlimit=${bandwidth}`]
  let abilities: Abilities | null = null

  const withRemote = async <T>(work: (remote: Remote) => Promise<Answer<T>>): Promise<Answer<T>> => (configured.ok ? work(configured.value) : configured)
  const version = (options: CallOptions = {}) => installedVersion(rclone, options.signal)
  const known = (options: CallOptions = {}) => knownRemotes(rclone, { configFile, flags, signal: options.signal })
  const isKnown = (options: CallOptions = {}) =>
    withRemote(async (remote) => {
      const remotes = await known(options)
      return remotes.ok ? checkKnown(remote, remotes.value) : remotes
    })

  const able = async (remote: Remote, options: CallOptions = {}): Promise<Answer<Abilities>> => {
    if (abilities !== null) return answered(abilities)
    const [found, remotes] = await Promise.all([version(options), known(options)])
    if (!found.ok) return found
    if (!remotes.ok) return remotes
    const answer = await askAbilities(rclone, remote, { version: found.value, type: remotes.value.get(remote.name) ?? '', signal: options.signal })
    if (answer.ok) abilities = answer.value
    return answer
  }
  /** A transfer that lacks the answer goes as it would have: it will say itself what is wrong. */
  const paceFor = async (remote: Remote, options: CallOptions): Promise<Pace> => {
    const answer = await able(remote, options)
    return answer.ok ? { ...pace, hash: answer.value.hash } : pace
  }

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
    async returnRenewed(file) {
      const path = await configurationPath(rclone, configFile)
      return path.ok ? returnRenewed(path.value, file) : path
    },

    probe: (request) => withRemote((remote) => probe(rclone, remote, request)),
    async remotes(options) {
      const remotes = await known(options)
      return remotes.ok ? answered([...remotes.value.keys()].sort()) : remotes
    },
    async traits(options) {
      const answer = await withRemote((remote) => able(remote, options))
      return answer.ok ? answered(answer.value.traits) : answer
    },
    list: (prefix, options) => withRemote((remote) => listFiles(rclone, remote, prefix, options)),
    upload: (request) => withRemote((remote) => unlessDry(context, async () => upload(rclone, remote, await paceFor(remote, request), request))),
    download: (request) => withRemote((remote) => unlessDry(context, async () => download(rclone, remote, await paceFor(remote, request), request))),
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
