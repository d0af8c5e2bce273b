import { dirname, resolve } from 'node:path'

import type { ProjectState } from '@stackbk/contract'
import { files as fileSystem } from '@stackbk/tool-runner/files'

import { workingDirectoryOf } from './compose.js'
import type { Docker, DockerCall } from './docker.js'
import { children, type Json, list, record, text, textList, withPlainDollars } from './json.js'
import { type PlainComposeFile, readPlainly } from './plain-compose-file.js'

/** A compose file as it was read. */
interface FileContent {
  readonly path: string
  /** `null` where it cannot be read. */
  readonly content: string | null
  readonly plain: PlainComposeFile | null
}

/** A project's own compose files. */
export interface ModelFiles {
  readonly contents: readonly FileContent[]
  /** The environment and label files that they name, absolute; `null` where only Compose can tell. */
  readonly named: readonly string[] | null
}

/** A file that may name others that Compose reads, which no output of Compose tells: worth a closer look. */
const namesOthers = /(^|[\s{,"'])(include|extends|env_file|label_file)["']?\s*:/m

/** How many files deep: past it they surely go in a circle. */
const depthLimit = 10

/** Files that the containers get: secrets, configs, credentials. */
export function filesInModel(raw: Json): string[] {
  const files: string[] = []
  for (const [, service] of children(raw['services'])) {
    const credential = text(record(service['credential_spec'])['file'])
    if (credential !== '') files.push(credential)
  }
  for (const kind of ['secrets', 'configs']) {
    for (const [, declared] of children(raw[kind])) if (text(declared['file']) !== '') files.push(text(declared['file']))
  }
  return files
}

/** Reads the compose files that the project was made of. */
export async function readModelFiles(project: ProjectState): Promise<ModelFiles> {
  const contents = await Promise.all(project.configFiles.map(async (path): Promise<FileContent> => {
    const content = await readText(path)
    return { path, content, plain: content === null ? null : readPlainly(content) }
  }))
  const named = contents.map(({ plain }) => plain?.namedFiles.map((path) => resolve(project.workingDirectory, path)) ?? null)
  return { contents, named: named.every((files) => files !== null) ? named.flat() : null }
}

interface Visit {
  readonly file: string
  readonly folder: string
}

/**
 * Returns the compose files that the project's own include or extend, at any depth, and the environment and label files of all of
 * them. Compose forgets their names once it has resolved the model (`--no-interpolate` would keep those of environment
 * files, but then it cannot follow an include whose path holds a variable), so the files are read here, those of a depth together.
 */
export async function filesReadByModel(docker: Docker, project: ProjectState, files: ModelFiles, call: DockerCall = {}): Promise<string[]> {
  if (files.named !== null) return [...files.named]
  const found = new Set<string>()
  const visited = new Set<string>()
  let visits: Visit[] = project.configFiles.map((file) => ({ file, folder: project.workingDirectory }))
  for (let depth = 0; depth <= depthLimit && visits.length > 0; depth += 1) {
    const unvisited = [...new Map(visits.filter(({ file }) => !visited.has(file)).map((visit) => [visit.file, visit])).values()]
    for (const { file } of unvisited) visited.add(file)
    const read = await Promise.all(unvisited.map(async (visit) => ({ ...visit, content: (await readText(visit.file)) ?? '' })))
    const naming = read.filter(({ content }) => namesOthers.test(content))
    const models = await parseAll(docker, project, naming.map(({ content }) => content), call)
    visits = naming.flatMap(({ folder }, at) => models[at]!.flatMap((model) => filesNamedIn(model, folder, found)))
  }
  return [...found]
}

/** Adds the files that a document names; returns those that are compose files themselves. */
function filesNamedIn(model: Json, folder: string, found: Set<string>): Visit[] {
  const nested: Visit[] = []
  for (const included of includesOf(model['include'])) {
    const files = included.paths.map((path) => resolve(folder, path))
    const inner = included.projectDirectory === '' ? dirname(files[0] ?? folder) : resolve(folder, included.projectDirectory)
    for (const path of included.environmentFiles) found.add(resolve(folder, path))
    if (included.environmentFiles.length === 0) found.add(resolve(inner, '.env'))
    for (const file of files) nested.push({ file, folder: inner })
  }
  for (const [, service] of children(model['services'])) {
    for (const path of [...environmentFiles(service['env_file']), ...textList(service['label_file'])]) found.add(resolve(folder, path))
    const path = text(record(service['extends'])['file'])
    if (path !== '') nested.push({ file: resolve(folder, path), folder: dirname(resolve(folder, path)) })
  }
  for (const { file } of nested) found.add(file)
  return nested
}

interface Include {
  readonly paths: readonly string[]
  readonly projectDirectory: string
  readonly environmentFiles: readonly string[]
}

function includesOf(value: unknown): Include[] {
  const entries = Array.isArray(value) ? value : []
  return entries.map((entry) => {
    if (typeof entry === 'string') return { paths: [entry], projectDirectory: '', environmentFiles: [] }
    const include = record(entry)
    return { paths: textList(include['path']), projectDirectory: text(include['project_directory']), environmentFiles: textList(include['env_file']) }
  })
}

function environmentFiles(value: unknown): string[] {
  return [...textList(value), ...list(value).map((entry) => text(entry['path']))].filter((path) => path !== '')
}

/** Returns the documents of each file. A file that Compose cannot read does not hide the others. */
async function parseAll(docker: Docker, project: ProjectState, contents: readonly string[], call: DockerCall): Promise<Json[][]> {
  if (contents.length === 0) return []
  const together = await parseYaml(docker, project, contents, call)
  if (together !== null) return together
  const apart = contents.length === 1 ? [] : await Promise.all(contents.map((content) => parseYaml(docker, project, [content], call)))
  return contents.map((_content, at) => apart[at]?.[0] ?? [])
}

/**
 * Compose is the YAML reader here, so that what it takes for an include is one: each document is shown to it, moved right, as an
 * extension of an empty project, which it prints as it is, variables filled in. `null` where it cannot read one of them.
 */
async function parseYaml(docker: Docker, project: ProjectState, contents: readonly string[], call: DockerCall): Promise<Json[][] | null> {
  const documents = contents.map(documentsOf)
  const input = ['name: stackbk', 'services: {}', ...documents.flatMap((parts, file) => parts.flatMap((lines, part) => [`x-${file}-${part}:`, ...lines.map((line) => `  ${line}`)])), ''].join('\n')
  const inFolder = await workingDirectoryOf(project)
  for (const more of [[], ['--no-interpolate']]) {
    const printed = await docker.ask(
      'docker compose config',
      ['compose', '--progress', 'quiet', '-p', 'stackbk', '--project-directory', project.workingDirectory, '-f', '-', ...project.environmentFiles.flatMap((file) => ['--env-file', file]), 'config', '--format', 'json', ...more],
      { ...call, ...inFolder, input },
    )
    if (!printed.ok) continue
    const model = record(withPlainDollars(record(JSON.parse(printed.value))))
    return documents.map((parts, file) => parts.map((_lines, part) => record(model[`x-${file}-${part}`])))
  }
  return null
}

/** Returns the lines of each YAML document in a file. A document may begin on the line of its marker. */
export function documentsOf(content: string): string[][] {
  const documents: string[][] = [[]]
  for (const line of content.replace(/^\uFEFF/, '').split('\n')) {
    if (/^(?:%|\.\.\.(?:\s|$))/.test(line)) continue
    const marker = /^---(?:\s+(.*))?$/.exec(line)
    if (marker === null) documents.at(-1)!.push(line)
    else documents.push(marker[1] ? [marker[1]] : [])
  }
  return documents.filter((lines) => lines.some((line) => !/^\s*(?:#.*)?$/.test(line)))
}

async function readText(path: string): Promise<string | null> {
  try {
    return await fileSystem.readText(path)
  } catch {
    return null
  }
}
