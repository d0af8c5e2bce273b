import { stat } from 'node:fs/promises'

import type { Answer, ProjectState } from '@stackbk/contract'

import type { Docker, DockerCall } from './docker.js'

/** Calls Compose on a project by its files, as it was made: nothing is guessed from where we are. */
export async function askCompose(docker: Docker, project: ProjectState, request: { readonly what: string; readonly args: readonly string[]; readonly allProfiles?: boolean; readonly moreFiles?: readonly string[] }, call: DockerCall = {}): Promise<Answer<string>> {
  const args = [
    'compose',
    '--progress',
    'quiet',
    '-p',
    project.name,
    '--project-directory',
    project.workingDirectory,
    ...[...project.configFiles, ...(request.moreFiles ?? [])].flatMap((file) => ['-f', file]),
    ...project.environmentFiles.flatMap((file) => ['--env-file', file]),
    ...(request.allProfiles === true ? ['--profile', '*'] : []),
    ...request.args,
  ]
  return docker.ask(request.what, args, { ...(await workingDirectoryOf(project)), ...call })
}

/** A file system that does not answer by then must not hold up what is called. */
const lookLimitMs = 2_000

/**
 * Returns the folder that Compose is to be called in: it reads `.env` of that folder too, and fills in `${PWD}` with it. Nothing
 * where the folder is not on this host, as with a manager that has its own path to it.
 */
export async function workingDirectoryOf(project: ProjectState): Promise<{ readonly cwd?: string }> {
  let limit: NodeJS.Timeout | undefined
  const tooLate = new Promise<false>((resolve) => (limit = setTimeout(resolve, lookLimitMs, false)))
  const isFolder = stat(project.workingDirectory).then((found) => found.isDirectory(), () => false)
  const isThere = await Promise.race([isFolder, tooLate])
  clearTimeout(limit)
  return isThere ? { cwd: project.workingDirectory } : {}
}
