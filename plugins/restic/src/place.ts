import { isAbsolute, resolve } from 'node:path'

import { Secret, type Failure } from '@stackbk/contract'

/** Where a repository is. */
export interface RepositoryPlace {
  /** As restic takes it; a secret where it holds a password. */
  readonly value: string | Secret
  /** For people. */
  readonly display: string
  /** The folder; `null` when it is not one of this host. */
  readonly path: string | null
  /** The passwords in it, to be taken out of whatever restic says. */
  readonly secrets: readonly Secret[]
  /** Why restic cannot be given this; `null` when it can. */
  readonly problem: Failure | null
}

/** restic's backends (`restic help`, "Preparing a new repository"): what begins so is not a path. */
const remoteScheme = /^(?:rest|sftp|s3|b2|azure|gs|swift|rclone):/

const urlPassword = /(:\/\/[^\s/:@]*):([^\s/]+)@/

/** Reads a location the way restic does. */
export function placeOf(location: string): RepositoryPlace {
  const password = urlPassword.exec(location)?.[2]
  if (remoteScheme.test(location)) {
    return {
      value: password === undefined ? location : new Secret(location),
      display: location.replace(urlPassword, '$1:********@'),
      path: null,
      secrets: password === undefined ? [] : [new Secret(password)],
      problem: null,
    }
  }
  const path = location.startsWith('local:') ? location.slice('local:'.length) : location
  if (isAbsolute(path)) {
    const folder = resolve(path)
    return { value: folder, display: folder, path: folder, secrets: [], problem: null }
  }
  return {
    value: location,
    display: location,
    path: null,
    secrets: [],
    problem: {
      kind: 'configuration',
      message:
        location === ''
          ? 'no repository is configured'
          : `the repository ${location} is neither an absolute path nor a location that restic knows`,
      fix: 'Set RESTIC_REPOSITORY to an absolute path',
    },
  }
}
