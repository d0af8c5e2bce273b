import { readFile, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'

import { answered, failed } from '@stackbk/contract'
import type { Answer, RebuildWarning } from '@stackbk/contract'

import { askCompose } from './compose.js'
import type { Docker, DockerCall } from './docker.js'
import { projectOfFolder } from './folder.js'
import { children, type Json, jsonForYaml, list, record, text } from './json.js'
import { parsedModel } from './model.js'
import { isInside } from './paths.js'
import { differences, modelOfFiles, type RebuildSource } from './rebuild-source.js'
import { servicesOf } from './rebuild-scope.js'

const overrideName = 'compose.override.yaml'

/** By this line an override is known that an earlier try has written. */
const firstLine = '# Written by stackbk recover.'

export interface Overridden {
  readonly source: RebuildSource
  readonly warnings: readonly RebuildWarning[]
}

/**
 * The compose files of a folder that has moved may name its old path. The containers get the new one in any case; this writes a Compose
 * override next to the files that says the same, so that `docker compose up` changes nothing. Compose reads it only where the files have
 * their usual names and no override is there: elsewhere a warning says what would change.
 */
export async function withOverride(docker: Docker, source: RebuildSource, onWriteFile: ((path: string) => void) | undefined, call: DockerCall): Promise<Answer<Overridden>> {
  const { scope } = source
  const unchanged = (reason: string): Answer<Overridden> => answered({ source, warnings: [filesDiffer(source, reason)] })
  if (source.isFromFiles || !hasMoved(source)) return answered({ source, warnings: [] })
  const files = await modelOfFiles(docker, scope, call)
  if (!files.ok) return files.failure.kind === 'configuration' || files.failure.kind === 'failed' ? unchanged(files.failure.toolOutput || files.failure.message) : files
  const override = overrideOf(files.value, source)
  if (override === null) return unchanged(source.whyNotFiles)
  const path = await placeFor(docker, source)
  if (path === null || onWriteFile === undefined) return unchanged(`they name the old path ${scope.recorded.workingDirectory}`)
  const own = scope.project.configFiles.filter((file) => file !== path)
  const [name, paths] = [own.map((file) => basename(file)).join(', '), replacedPaths(files.value, source).join(', ')]
  const content = `${firstLine}\n# The folder has moved, and ${name} alone would mount ${paths}.\n# Correct that there, then remove this file.\n${asYaml(override)}`
  const resolved = await resolvedWith(docker, source, content, call)
  if (!resolved.ok) return resolved.failure.kind === 'cancelled' ? resolved : unchanged(source.whyNotFiles)
  onWriteFile(path)
  try {
    await writeFile(path, content, { mode: 0o644 })
  } catch (error) {
    return failed({ kind: 'failed', message: `${path} could not be written`, toolOutput: String(error), fix: 'See that the folder can be written to' })
  }
  const left = differences(resolved.value, source.model, servicesOf(scope))
  const configFiles = [...own, path]
  const warning: RebuildWarning = { code: 'override-written', message: `${path} was written, since ${name} alone would mount ${paths}: with it, docker compose up finds the stack as it is`, fix: `To do without it, correct the paths in ${own.join(', ')}, then remove ${overrideName}` }
  const now: RebuildSource = { ...source, scope: { ...scope, project: { ...scope.project, configFiles } }, ...(left.length === 0 ? { model: resolved.value, isFromFiles: true, whyNotFiles: '' } : { whyNotFiles: `they now say something else of ${left.join(', ')}` }) }
  return answered({ source: now, warnings: [warning, ...(left.length === 0 ? [] : [filesDiffer(now, now.whyNotFiles)])] })
}

function hasMoved({ scope }: RebuildSource): boolean {
  return scope.moved(scope.recorded.workingDirectory) !== scope.recorded.workingDirectory || scope.recorded.configFiles.some((file) => scope.moved(file) !== file)
}

function filesDiffer({ scope }: RebuildSource, reason: string): RebuildWarning {
  const { name, configFiles, workingDirectory } = scope.project
  return {
    code: 'files-differ',
    message: `project ${name} was made as it ran, and its compose files say something else: ${reason}`,
    fix: `Before the next docker compose up, correct ${configFiles.join(', ') || `the compose files in ${workingDirectory}`}`,
  }
}

/** Returns where Compose would read an override by itself; `null` if it would not, or if one of the user's is there. */
async function placeFor(docker: Docker, { scope }: RebuildSource): Promise<string | null> {
  const { workingDirectory, configFiles, environmentFiles } = scope.project
  const path = join(workingDirectory, overrideName)
  const own = configFiles.filter((file) => file !== path)
  if (environmentFiles.some((file) => file !== join(workingDirectory, '.env')) || own.length !== 1) return null
  const found = await projectOfFolder(workingDirectory, docker.environment)
  const others = (found?.configFiles ?? []).filter((file) => !own.includes(file))
  if (found === null || !found.configFiles.includes(own[0]!) || others.some((file) => file !== path)) return null
  const present = await readFile(path, 'utf8').catch(() => null)
  return present === null || present.startsWith(firstLine) ? path : null
}

/** Returns what the model of the capsule says otherwise than the files of mounts, files of secrets and configs, and folders of volumes; `null` for nothing. */
function overrideOf(files: Json, source: RebuildSource): Json | null {
  const { model } = source
  const services = servicesOf(source.scope).flatMap((name): [string, Json][] => {
    const volumes = changedMounts(files, source, name).map(({ wanted }) => ({ ...wanted, source: near(text(wanted['source']), source) }))
    return volumes.length === 0 ? [] : [[name, { volumes }]]
  })
  const declared = (kind: 'secrets' | 'configs'): [string, Json][] =>
    children(model[kind]).flatMap(([key, wanted]): [string, Json][] => {
      const file = text(wanted['file'])
      return file === '' || text(record(record(files[kind])[key])['file']) === file ? [] : [[key, { file: near(file, source) }]]
    })
  const volumes = children(model['volumes']).flatMap(([key, wanted]): [string, Json][] => {
    const device = text(record(wanted['driver_opts'])['device'])
    return !device.startsWith('/') || text(record(record(record(files['volumes'])[key])['driver_opts'])['device']) === device ? [] : [[key, { driver_opts: { device } }]]
  })
  const parts = { services, volumes, secrets: declared('secrets'), configs: declared('configs') }
  const filled = Object.entries(parts).filter(([, entries]) => entries.length > 0).map(([kind, entries]): [string, Json] => [kind, Object.fromEntries(entries)])
  return filled.length === 0 ? null : Object.fromEntries(filled)
}

/** Bind mounts whose source the files give in another way, by where they are in the container. */
function changedMounts(files: Json, { model }: RebuildSource, service: string): { readonly wanted: Json; readonly present: Json }[] {
  const mountsOf = (from: Json): Json[] => list(record(record(from['services'])[service])['volumes']).filter((mount) => text(mount['type']) === 'bind')
  const present = new Map(mountsOf(files).map((mount) => [text(mount['target']), mount]))
  return mountsOf(model).flatMap((wanted) => {
    const other = present.get(text(wanted['target']))
    return other === undefined || text(other['source']) === text(wanted['source']) ? [] : [{ wanted, present: other }]
  })
}

/** Returns the paths of the files that the override replaces, for its comment. */
function replacedPaths(files: Json, source: RebuildSource): string[] {
  const found = servicesOf(source.scope).flatMap((service) => changedMounts(files, source, service).map(({ present }) => text(present['source'])))
  return found.length === 0 ? [source.scope.recorded.workingDirectory] : [...new Set(found)].map((path) => path.replaceAll('$$', '$').replaceAll(/[\r\n]/g, ' '))
}

/** A path in the folder is written relative to it, so that it stays right when the folder moves again. */
function near(path: string, { scope }: RebuildSource): string {
  const folder = scope.project.workingDirectory.replaceAll('$', '$$$$')
  return isInside(path, folder) ? `./${relative(folder, path)}` : path
}

async function resolvedWith(docker: Docker, { scope }: RebuildSource, content: string, call: DockerCall): Promise<Answer<Json>> {
  const project = { ...scope.project, configFiles: scope.project.configFiles.filter((file) => basename(file) !== overrideName) }
  const what = `docker compose config of project ${project.name} with its override`
  const printed = await askCompose(docker, project, { what, args: ['config', '--format', 'json'], moreFiles: ['-'], allProfiles: true }, { ...call, input: content })
  return printed.ok ? parsedModel(docker, printed.value, what) : printed
}

/** JSON is YAML; only the outermost levels are written as a person would write them. */
function asYaml(override: Json): string {
  return Object.entries(override).map(([kind, entries]) => `${kind}:\n${children(entries).map(([name, content]) => `  ${jsonForYaml(name)}: ${jsonForYaml(content)}\n`).join('')}`).join('')
}
