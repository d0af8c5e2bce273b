import { basename, dirname, join, resolve } from 'node:path'

import type { ProjectState } from '@stackbk/contract'
import { files as fileSystem } from '@stackbk/tool-runner/files'

/** Compose's own order of preference (compose-go, DefaultFileNames). */
const composeFiles = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
/** Compose reads one of these on top, but only if it was not told which files to read. */
const overrideFiles = ['compose.override.yml', 'compose.override.yaml', 'docker-compose.override.yml', 'docker-compose.override.yaml']

/**
 * The project that Compose would make of the folder, for a stack without containers to ask. `null` when the folder holds no
 * compose file. The name is found as Compose finds it: COMPOSE_PROJECT_NAME, `name:`, that of the folder that Compose works in.
 * Where the `.env` says which files there are, that is the folder of the first.
 *
 * @param environment the variables that Compose sees besides those of the folder's `.env`
 */
export async function projectOfFolder(directory: string, environment: Readonly<Record<string, string>>): Promise<ProjectState | null> {
  const folderVariables = await readEnvironmentFile(join(directory, '.env'))
  const files = await configFilesOf(directory, folderVariables)
  if (files.length === 0) return null
  const workingDirectory = dirname(files[0]!)
  const isElsewhere = workingDirectory !== directory
  const ownVariables = isElsewhere ? { ...(await readEnvironmentFile(join(workingDirectory, '.env'))), ...folderVariables } : folderVariables
  const variables = { ...ownVariables, ...environment, PWD: directory }
  const name = normalized(ownVariables['COMPOSE_PROJECT_NAME'] ?? '') || normalized(await nameIn(files, variables)) || normalized(basename(workingDirectory))
  if (name === '') return null
  return { name, workingDirectory, configFiles: files, environmentFiles: isElsewhere ? await environmentFilesOf(directory, workingDirectory) : [], containers: [] }
}

/** Returns the compose files that the folder's `.env` says, absolute; none where it says nothing of them. */
export async function namedComposeFiles(directory: string): Promise<readonly string[]> {
  return filesNamedIn(await readEnvironmentFile(join(directory, '.env')), directory)
}

/**
 * Returns the environment files that Compose reads when it is called in a folder and works in another: the `.env` of both, as far
 * as they are there. The folder's own counts before the other.
 */
export async function environmentFilesOf(directory: string, workingDirectory: string): Promise<string[]> {
  const files = [join(workingDirectory, '.env'), join(directory, '.env')]
  const areThere = await Promise.all(files.map((file) => fileSystem.isThere(file)))
  return files.filter((_file, at) => areThere[at])
}

/** Whether the folder holds a compose file by one of the names that Compose looks for, or the one that its `.env` names. */
export async function hasComposeFile(directory: string): Promise<boolean> {
  const found = await Promise.all(composeFiles.map((name) => fileSystem.isThere(join(directory, name))))
  if (found.includes(true)) return true
  const [first] = await namedComposeFiles(directory)
  return first !== undefined && fileSystem.isThere(first)
}

async function configFilesOf(directory: string, environment: Readonly<Record<string, string>>): Promise<string[]> {
  const given = filesNamedIn(environment, directory)
  if (given.length > 0) return given
  const first = async (names: readonly string[]): Promise<string[]> => {
    for (const name of names) if (await fileSystem.isThere(join(directory, name))) return [join(directory, name)]
    return []
  }
  const main = await first(composeFiles)
  return main.length === 0 ? [] : [...main, ...(await first(overrideFiles))]
}

function filesNamedIn(environment: Readonly<Record<string, string>>, directory: string): string[] {
  const given = environment['COMPOSE_FILE'] ?? ''
  return given === '' ? [] : given.split(environment['COMPOSE_PATH_SEPARATOR'] ?? ':').map((file) => resolve(directory, file))
}

/** Returns the last top-level `name:` of the files, with its variables filled in. */
async function nameIn(files: readonly string[], variables: Readonly<Record<string, string>>): Promise<string> {
  let name = ''
  for (const file of files) {
    const written = writtenName(await readText(file))
    if (written !== null) name = interpolated(written, variables)
  }
  return name
}

/** Fills in `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME:-default}`, `${NAME+other}` and `${NAME:+other}`. */
function interpolated(written: string, variables: Readonly<Record<string, string>>): string {
  return written.replace(/\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?)([-+?])([^}]*))?\})/g, (_all: string, plain: string | undefined, braced: string, colon: string | undefined, operator: string | undefined, word: string | undefined) => {
    const value = variables[plain ?? braced]
    const isSet = value !== undefined && ((colon ?? '') === '' || value !== '')
    if (operator === '+') return isSet ? (word ?? '') : ''
    return isSet ? value : operator === '-' ? (word ?? '') : ''
  })
}

/** As it stands in the file, which may be JSON: that is YAML too. */
function writtenName(content: string): string | null {
  if (content.trimStart().startsWith('{')) {
    try {
      const { name } = JSON.parse(content) as { name?: unknown }
      return typeof name === 'string' ? name : null
    } catch {
      return null
    }
  }
  const written = /^(["']?)name\1[ \t]*:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#]+))/m.exec(content)
  return written === null ? null : (written[2] ?? written[3] ?? written[4] ?? null)
}

/** Lower case; nothing but letters, digits, `_` and `-`; no mark in front. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9_-]/g, '').replace(/^[_-]+/, '')
}

/** Reads the single-line variables of an environment file: enough for names and paths. */
async function readEnvironmentFile(path: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {}
  for (const line of (await readText(path)).split('\n')) {
    const [, name, written] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? []
    if (name === undefined || written === undefined) continue
    const quoted = /^(["'])(.*?)\1\s*(?:#.*)?$/.exec(written)
    variables[name] = quoted?.[2] ?? written.replace(/(?:^|\s+)#.*$/, '')
  }
  return variables
}

async function readText(path: string): Promise<string> {
  try {
    return await fileSystem.readText(path)
  } catch {
    return ''
  }
}
