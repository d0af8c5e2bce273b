import { access, constants, stat } from 'node:fs/promises'

import { answered, done, failed, shellWord, type Answer, type Exec } from '@stackbk/contract'

import type { Place } from './place.js'

export interface RsyncVersion {
  readonly text: string
  readonly parts: readonly [number, number, number]
}

/** Since this one rsync passes names to the other side as they are. */
export const oldestVersion: RsyncVersion = { text: '3.2.4', parts: [3, 2, 4] }

/** How long a question may take that needs no network. */
const localLimitMs = 10_000

/** The rsync of this host, whatever its version. */
export async function installedVersion(exec: Exec, signal?: AbortSignal): Promise<Answer<RsyncVersion>> {
  const result = await exec.run({ file: 'rsync', args: ['--version'], env: { LC_ALL: 'C' }, timeoutMs: localLimitMs, ...(signal === undefined ? {} : { signal }) })
  const found = /^rsync\s+version v?((\d+)\.(\d+)(?:\.(\d+))?\S*)/m.exec(result.stdout)
  if (result.exitCode === 0 && found !== null) return answered({ text: found[1] ?? '', parts: [Number(found[2]), Number(found[3]), Number(found[4] ?? 0)] })
  if (result.outcome === 'cancelled') return failed({ kind: 'cancelled', message: 'asking rsync for its version was cancelled' })
  if (result.outcome === 'not-started') return failed({ kind: 'tool-missing', message: result.startError ?? 'rsync cannot be started', fix: `Install rsync ${oldestVersion.text} or newer` })
  return failed({ kind: 'tool-not-answering', message: 'could not determine the version of rsync', toolOutput: result.stderr.trim(), fix: 'Run: rsync --version' })
}

export function isNewEnough({ parts }: RsyncVersion): boolean {
  const at = parts.findIndex((part, index) => part !== oldestVersion.parts[index])
  return at < 0 || (parts[at] ?? 0) > (oldestVersion.parts[at] ?? 0)
}

export function tooOld(version: RsyncVersion): Answer<never> {
  return failed({ kind: 'tool-too-old', message: `rsync ${version.text} is too old: ${oldestVersion.text} is needed`, fix: `Install rsync ${oldestVersion.text} or newer` })
}

/** The SSH client's name and version. */
export async function sshVersion(exec: Exec, signal?: AbortSignal): Promise<Answer<string>> {
  const result = await exec.run({ file: 'ssh', args: ['-V'], timeoutMs: localLimitMs, ...(signal === undefined ? {} : { signal }) })
  const words = `${result.stderr}${result.stdout}`.trim()
  if (result.exitCode === 0) return answered(words.split('\n')[0] ?? '')
  if (result.outcome === 'cancelled') return failed({ kind: 'cancelled', message: 'asking ssh for its version was cancelled' })
  if (result.outcome === 'not-started') return failed({ kind: 'tool-missing', message: result.startError ?? 'ssh cannot be started', fix: 'Install the SSH client (Debian: openssh-client)' })
  return failed({ kind: 'tool-not-answering', message: 'could not determine the version of ssh', toolOutput: words, fix: 'Run: ssh -V' })
}

/** Whether the files that the configuration names are there to be read. */
export async function checkFiles({ identityFile, knownHosts }: Place): Promise<Answer<void>> {
  for (const [key, file] of [['IDENTITY_FILE', identityFile], ['KNOWN_HOSTS', knownHosts]] as const) {
    if (file === null) continue
    const trouble = await access(file, constants.R_OK).then(() => null, (error: unknown) => (error instanceof Error ? error.message : String(error)))
    if (trouble !== null) return failed({ kind: 'configuration', message: `${key} cannot be read: ${file}`, toolOutput: trouble, fix: `Correct ${key} in [plugin:rsync]` })
  }
  return identityFile === null ? done : checkPrivacy(identityFile)
}

/** SSH passes over a private key of ours that others may read, and says no more than that the server does not let us in. */
async function checkPrivacy(identityFile: string): Promise<Answer<void>> {
  const { uid, mode } = await stat(identityFile)
  if (uid !== process.getuid?.() || (mode & 0o077) === 0) return done
  return failed({ kind: 'configuration', message: `others may read the private key, so SSH does not use it: ${identityFile}`, fix: `Run: chmod 600 ${shellWord(identityFile)}` })
}
