import { dirname, resolve } from 'node:path'

import type { ProjectState } from '@stackbk/contract'
import { files as fileSystem } from '@stackbk/tool-runner/files'

import type { Docker, DockerCall } from './docker.js'
import { children, type Json, list, record, text, textList, withPlainDollars } from './json.js'

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

/**
 * The compose files that the project's own include or extend, at any depth, and the environment and label files of all of
 * them. Compose forgets their names once it has resolved the model (`--no-interpolate` would keep those of environment
 * files, but then it cannot follow an include whose path holds a variable), so the files are read here one by one.
 */
export async function filesReadByModel(docker: Docker, project: ProjectState, call: DockerCall = {}): Promise<string[]> {
  const found = new Set<string>()
  const visited = new Set<string>()
  const visit = async (file: string, folder: string, depth: number): Promise<void> => {
    if (depth > depthLimit || visited.has(file)) return
    visited.add(file)
    const content = await readText(file)
    if (!namesOthers.test(content)) return
    const model = await parseYaml(docker, project, content, call)
    const nested: [string, string][] = []
    for (const included of includesOf(model['include'])) {
      const files = included.paths.map((path) => resolve(folder, path))
      const inner = included.projectDirectory === '' ? dirname(files[0] ?? folder) : resolve(folder, included.projectDirectory)
      for (const path of included.environmentFiles) found.add(resolve(folder, path))
      if (included.environmentFiles.length === 0) found.add(resolve(inner, '.env'))
      for (const path of files) nested.push([path, inner])
    }
    for (const [, service] of children(model['services'])) {
      for (const path of [...environmentFiles(service['env_file']), ...textList(service['label_file'])]) found.add(resolve(folder, path))
      const path = text(record(service['extends'])['file'])
      if (path !== '') nested.push([resolve(folder, path), dirname(resolve(folder, path))])
    }
    for (const [path, inner] of nested) {
      found.add(path)
      await visit(path, inner, depth + 1)
    }
  }
  await Promise.all(project.configFiles.map((file) => visit(file, project.workingDirectory, 0)))
  return [...found]
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

/**
 * Compose is the YAML reader here, so that what it takes for an include is one: the file is shown to it, moved right, as an
 * extension of an empty project, which it prints as it is, variables filled in.
 */
async function parseYaml(docker: Docker, project: ProjectState, content: string, call: DockerCall): Promise<Json> {
  const lines = content.replace(/^\uFEFF/, '').split('\n').filter((line) => !/^(?:---|\.\.\.|%YAML)/.test(line))
  const input = ['name: stackbk', 'services: {}', 'x-stackbk:', ...lines.map((line) => `  ${line}`), ''].join('\n')
  for (const more of [[], ['--no-interpolate']]) {
    const printed = await docker.ask(
      'docker compose config',
      ['compose', '--progress', 'quiet', '-p', 'stackbk', '--project-directory', project.workingDirectory, '-f', '-', ...project.environmentFiles.flatMap((file) => ['--env-file', file]), 'config', '--format', 'json', ...more],
      { ...call, input },
    )
    if (printed.ok) return record(withPlainDollars(record(JSON.parse(printed.value))['x-stackbk']))
  }
  return {}
}

async function readText(path: string): Promise<string> {
  try {
    return await fileSystem.readText(path)
  } catch {
    return ''
  }
}
