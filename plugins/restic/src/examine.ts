import { type CallOptions, type Finding, failureInOneLine } from '@stackbk/contract'

import { listLocks, lockInWords } from './locks.js'
import { passwordProblem } from './password.js'
import { openRepository } from './repository.js'
import type { Restic } from './restic.js'
import { installedVersion, isAtLeast, oldestVersion } from './version.js'

/** What `doctor` says of restic, its password and its repository. */
export async function examine(restic: Restic, options: CallOptions = {}): Promise<readonly Finding[]> {
  const version = await versionFinding(restic, options)
  const password = passwordFinding(restic)
  if (version.status === 'failed' || password.status === 'failed') return [version, password]
  const repository = await repositoryFinding(restic, options)
  if (repository.status === 'failed') return [version, password, repository]
  return [version, password, repository, await locksFinding(restic, options)]
}

async function versionFinding(restic: Restic, options: CallOptions): Promise<Finding> {
  const needed = `${oldestVersion.text} or newer`
  const version = await installedVersion(restic.exec, options)
  const id = 'restic.version'
  const fix = `Install restic ${needed}`
  if (!version.ok) {
    return { id, status: 'failed', found: failureInOneLine(version.failure), needed, fix: version.failure.fix ?? fix, isToolTrouble: true }
  }
  if (!isAtLeast(version.value, oldestVersion)) return { id, status: 'failed', found: version.value.text, needed, fix, isToolTrouble: true }
  return { id, status: 'ok', found: version.value.text, needed, fix: '' }
}

function passwordFinding(restic: Restic): Finding {
  const problem = passwordProblem(restic.password)
  const facts = { id: 'restic.password', needed: 'a source of the repository password' }
  return problem === null
    ? { ...facts, status: 'ok', found: sourceInWords(restic), fix: '' }
    : { ...facts, status: 'failed', found: failureInOneLine(problem), fix: problem.fix ?? '' }
}

function sourceInWords({ password }: Restic): string {
  switch (password.from) {
    case 'file':
      return `the file ${password.path}`
    case 'command':
      return 'a command'
    case 'value':
      return 'the configuration'
    case 'environment':
      return 'the environment'
  }
}

async function repositoryFinding(restic: Restic, options: CallOptions): Promise<Finding> {
  const facts = { id: 'restic.repository', needed: 'a repository that opens' }
  const opened = await openRepository(restic, options)
  if (opened.ok) return { ...facts, status: 'ok', found: `${opened.value.location} (${opened.value.id.slice(0, 10)})`, fix: '' }
  return { ...facts, status: 'failed', found: failureInOneLine(opened.failure), fix: opened.failure.fix ?? '' }
}

async function locksFinding(restic: Restic, options: CallOptions): Promise<Finding> {
  const facts = { id: 'restic.locks', needed: 'none' }
  const locks = await listLocks(restic, options)
  if (!locks.ok) return { ...facts, status: 'warning', found: failureInOneLine(locks.failure), fix: locks.failure.fix ?? '' }
  if (locks.value.length === 0) return { ...facts, status: 'ok', found: 'none', fix: '' }
  return {
    ...facts,
    status: 'warning',
    found: locks.value.map(lockInWords).join('; '),
    fix: 'Wait until they have ended; remove those of a killed restic of this host with: stackbk resume',
  }
}
