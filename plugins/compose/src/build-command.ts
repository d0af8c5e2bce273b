import { basename } from 'node:path'

import { shellWord } from '@stackbk/contract'
import type { ProjectState } from '@stackbk/contract'

import { type Json, record } from './json.js'

/** Returns the command by which a person builds the image of a service, with the folder to run it in; `null` for one that the model does not build. */
export function buildCommand({ name, workingDirectory, configFiles }: Pick<ProjectState, 'name' | 'workingDirectory' | 'configFiles'>, model: Json, service: string): string | null {
  const build = record(record(model['services'])[service])['build']
  if (typeof build !== 'string' && Object.keys(record(build)).length === 0) return null
  const isUsual = configFiles.length === 1 && /^(?:docker-)?compose\.ya?ml$/.test(basename(configFiles[0]!))
  const files = isUsual ? [] : configFiles.flatMap((file) => ['-f', file])
  const project = basename(workingDirectory) === name ? [] : ['-p', name]
  return [`cd ${shellWord(workingDirectory)} && docker compose`, ...[...project, ...files].map(shellWord), 'build', shellWord(service)].join(' ')
}
