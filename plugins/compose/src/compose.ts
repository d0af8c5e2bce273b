import type { Answer, ProjectState } from '@stackbk/contract'
import { files } from '@stackbk/tool-runner/files'

import type { Docker, DockerCall } from './docker.js'

/** Calls Compose on a project by its files, as it was made: nothing is guessed from where we are. */
export function askCompose(docker: Docker, project: ProjectState, request: { readonly what: string; readonly args: readonly string[]; readonly allProfiles?: boolean; readonly moreFiles?: readonly string[] }, call: DockerCall = {}): Promise<Answer<string>> {
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
  // Compose also reads `.env` of the folder that it is called in: that has to be the project's own.
  return docker.ask(request.what, args, { ...(files.isThereNow(project.workingDirectory) ? { cwd: project.workingDirectory } : {}), ...call })
}

/** Calls Compose on a project by its name alone: on all of its containers, whatever its files say now, so services of profiles too. */
export function askComposeByName(docker: Docker, project: string, request: { readonly what: string; readonly args: readonly string[] }, call: DockerCall = {}): Promise<Answer<string>> {
  return docker.ask(request.what, ['compose', '--progress', 'quiet', '-p', project, ...request.args], call)
}
