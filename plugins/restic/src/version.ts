import { answered, failed, type Answer, type CallOptions, type Exec } from '@stackbk/contract'

export interface ResticVersion {
  readonly major: number
  readonly minor: number
  readonly text: string
}

/** The oldest that has exit codes for "missing", "locked" and "wrong password". */
export const oldestVersion: ResticVersion = { major: 0, minor: 17, text: '0.17' }

/** How long restic may take to say its version before it counts as not answering. */
const versionLimitMs = 10_000

export function isAtLeast(version: ResticVersion, wanted: { readonly major: number; readonly minor: number }): boolean {
  return version.major > wanted.major || (version.major === wanted.major && version.minor >= wanted.minor)
}

/** The version that is installed, whatever it is. Opens nothing. */
export async function installedVersion(exec: Exec, options: CallOptions = {}): Promise<Answer<ResticVersion>> {
  const result = await exec.run({
    file: 'restic',
    args: ['version'],
    timeoutMs: versionLimitMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  if (result.outcome === 'not-started') {
    return failed({
      kind: 'tool-missing',
      message: result.startError ?? 'restic cannot be started',
      fix: `Install restic ${oldestVersion.text} or newer`,
    })
  }
  if (result.outcome === 'cancelled') return failed({ kind: 'cancelled', message: 'asking restic for its version was cancelled' })
  const found = /\brestic (\d+)\.(\d+)\S*/.exec(result.stdout)
  if (result.exitCode !== 0 || found === null) {
    return failed({
      kind: 'tool-not-answering',
      message: 'could not determine the version of restic',
      toolOutput: `${result.stdout}\n${result.stderr}`.trim(),
      fix: 'Run: restic version',
    })
  }
  return answered({ major: Number(found[1]), minor: Number(found[2]), text: found[0].slice('restic '.length) })
}

/** The version, where it is one that we can work with. */
export async function usableVersion(exec: Exec, options: CallOptions = {}): Promise<Answer<ResticVersion>> {
  const version = await installedVersion(exec, options)
  if (!version.ok || isAtLeast(version.value, oldestVersion)) return version
  return failed({
    kind: 'tool-too-old',
    message: `restic ${version.value.text} is too old: ${oldestVersion.text} is needed`,
    fix: `Install restic ${oldestVersion.text} or newer`,
  })
}
