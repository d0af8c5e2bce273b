import { access } from 'node:fs/promises'

import { answered, done, failed, type Answer } from '@stackbk/contract'

import { failureOf } from './failure.js'
import { nearestNames } from './nearest.js'
import type { Rclone } from './rclone.js'
import type { Remote } from './remote.js'
import { localLimitMs } from './version.js'

/** The remotes that rclone knows, from its configuration and the environment: name to type. No network. */
export async function knownRemotes(rclone: Rclone, request: { readonly configFile: string | null; readonly flags?: readonly string[]; readonly signal?: AbortSignal | undefined }): Promise<Answer<ReadonlyMap<string, string>>> {
  const { configFile, flags = [], signal } = request
  // rclone takes a configuration file that is not there for an empty one.
  if (configFile !== null && !(await isThere(configFile))) {
    return failed({ kind: 'configuration', message: `rclone's configuration file does not exist: ${configFile}`, fix: 'Correct RCLONE_CONFIG' })
  }
  const run = await rclone.run({ verb: ['listremotes'], flags: ['--long', ...flags], signal, timeoutMs: localLimitMs })
  if (run.result.exitCode === 0) {
    const lines = [...run.result.stdout.matchAll(/^(.+?):\s+(\S+)/gm)]
    return answered(new Map(lines.map(([, name = '', type = '']) => [name, type])))
  }
  const failure = failureOf(run, { what: "reading rclone's configuration", remote: '', isTransfer: false })
  // One that was killed says nothing of its configuration.
  const hasDied = run.result.outcome === 'exited' && run.result.exitCode === null
  if (failure.kind === 'timed-out' || hasDied) return failed({ ...failure, kind: 'tool-not-answering', message: 'could not list the remotes of rclone', fix: 'Run: rclone listremotes' })
  return failed(failure.kind === 'remote-unreachable' ? { ...failure, kind: 'configuration', fix: 'Run: rclone listremotes' } : failure)
}

/** Whether rclone knows the remote; if not, which ones it does know. */
export function checkKnown(remote: Remote, known: ReadonlyMap<string, string>): Answer<void> {
  if (known.has(remote.name)) return done
  const names = [...known.keys()].toSorted()
  const nearest = nearestNames(remote.name, names)
  const advice =
    names.length === 0
      ? 'rclone has no remotes: add one with: rclone config, or set RCLONE_CONFIG to the configuration that holds it'
      : nearest.length === 0
        ? `Set RCLONE_REMOTE to one of: ${names.join(', ')}`
        : `Did you mean ${nearest.join(' or ')}? The remotes are: ${names.join(', ')}`
  return failed({ kind: 'configuration', message: `there is no rclone remote named ${remote.name}`, fix: advice })
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
