import { answered, failed, type Answer, type CallOptions, type Repository } from '@stackbk/contract'
import { files } from '@stackbk/tool-runner/files'

import { asString, parseObject } from './json.js'
import type { Restic } from './restic.js'

/**
 * Opens the repository and reads its configuration. Takes no lock and writes nothing. The configuration is never cached, and
 * two calls that make a new cache folder at once get in each other's way, so this one uses none.
 */
export async function openRepository(restic: Restic, options: CallOptions = {}): Promise<Answer<Repository>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  const what = `the repository ${restic.place.display} does not open`
  const result = await restic.run({ command: 'cat', operands: ['config'], locking: 'none', cache: false, options })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, what)
  const id = asString(parseObject(result.stdout)?.['id'])
  if (id === '') return failed({ kind: 'failed', message: `${what}: its configuration has no ID` })
  return answered(await repositoryWithId(restic, id))
}

/** Makes a repository; an existing one is left alone and is a failure. */
export async function initRepository(restic: Restic, options: CallOptions = {}): Promise<Answer<Repository>> {
  if (restic.place.problem !== null) return failed(restic.place.problem)
  const what = `no repository could be made at ${restic.place.display}`
  const result = await restic.run({ command: 'init', locking: 'needed', options })
  if (result.outcome !== 'exited' || result.exitCode !== 0) return restic.failed(result, what)
  const made = result.stdout
    .split('\n')
    .map(parseObject)
    .find((line) => line?.['message_type'] === 'initialized')
  const id = asString(made?.['id'])
  if (id === '') return openRepository(restic, options)
  return answered(await repositoryWithId(restic, id))
}

async function repositoryWithId(restic: Restic, id: string): Promise<Repository> {
  const { display, path } = restic.place
  return { id, location: display, path: path === null ? null : await files.realPath(path) }
}
