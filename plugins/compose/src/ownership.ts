import { basename, dirname, isAbsolute, join, resolve } from 'node:path'

import type { ProjectState } from '@stackbk/contract'
import { files as fileSystem } from '@stackbk/tool-runner/files'

import { label } from './container.js'
import { hasComposeFile, namedComposeFiles } from './folder.js'
import { isInside, realPath, splitPaths } from './paths.js'

/** What the labels of a container say about where it was made from. Several folders may use the same project name. */
export interface Origin {
  readonly project: string
  readonly service: string
  readonly workingDirectory: string
  /** Paths, joined with commas. Compose v1 left them as they were given: relative ones lack the folder. */
  readonly configFiles: string
}

/** Reads the origin from the labels of a container, or from the attributes of one of its events. */
export function originOf(labels: Readonly<Record<string, string>>): Origin {
  return { project: labels[label.project] ?? '', service: labels[label.service] ?? '', workingDirectory: labels[label.workingDirectory] ?? '', configFiles: labels[label.configFiles] ?? '' }
}

/** Returns the folders that the labels name: the working directory, and the folder of the first compose file. Looks at no disk. */
export function namedFolders({ workingDirectory, configFiles }: Pick<Origin, 'workingDirectory' | 'configFiles'>): readonly string[] {
  const [first = ''] = pathsIn(configFiles)
  const file = isFile(first) ? absoluteIn(workingDirectory, first) : null
  return [...new Set([...(isAbsolute(workingDirectory) ? [workingDirectory] : []), ...(file === null ? [] : [dirname(file)])])]
}

/**
 * Returns the real folders that a container belongs to by its labels: those that they name, or the one whose `.env` gives exactly
 * these compose files. Compose works in the folder of the first file, so a stack whose first file is one that several stacks have
 * in common would count as the stack of that folder.
 */
export async function foldersOf(origin: Pick<Origin, 'workingDirectory' | 'configFiles'>): Promise<readonly string[]> {
  const named = await Promise.all(namedFolders(origin).map(realPath))
  const files = pathsIn(origin.configFiles).length < 2 ? [] : await Promise.all((await namedFiles(origin)).map(realPath))
  const [ofFirst, ...others] = files.map((file) => dirname(file))
  if (ofFirst === undefined || others.every((folder) => folder === ofFirst)) return named
  const candidates = [...new Set([ofFirst, ...others])]
  const areOwners = await Promise.all(candidates.map(async (folder) => isSameList(files, await ownFiles(folder))))
  const owners = candidates.filter((_folder, at) => areOwners[at])
  if (owners.length === 0) return named
  return [...new Set([...named.filter((folder) => folder !== ofFirst), ...owners])]
}

/** Returns whether the `.env` of this real folder gives exactly the compose files that the labels name, wherever these lie. */
export async function isOfFilesNamedIn(directory: string, origin: Pick<Origin, 'workingDirectory' | 'configFiles'>): Promise<boolean> {
  const own = await ownFiles(directory)
  return own.length > 0 && isSameList(own, await Promise.all((await namedFiles(origin)).map(realPath)))
}

async function ownFiles(directory: string): Promise<readonly string[]> {
  return Promise.all((await namedComposeFiles(directory)).map(realPath))
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((file, at) => file === other[at])
}

/**
 * Returns the compose files that the labels name as absolute paths. A relative one is taken relative to the working directory of
 * the label, never to the one of this process; Compose v1 kept it relative to its caller, so its last part alone is tried too.
 */
export async function namedFiles({ workingDirectory, configFiles }: Pick<Origin, 'workingDirectory' | 'configFiles'>): Promise<readonly string[]> {
  const files = splitPaths(configFiles, workingDirectory).filter(isFile)
  const found = await Promise.all(
    files.map(async (file) => {
      const path = absoluteIn(workingDirectory, file)
      if (path === null || isAbsolute(file) || (await isRegularFile(path))) return path
      const inFolder = join(workingDirectory, basename(file))
      return (await isRegularFile(inFolder)) ? inFolder : path
    }),
  )
  return found.filter((file) => file !== null)
}

/**
 * Returns whether the container belongs to another stack folder than this real one: a folder that its labels name is there, and has a
 * compose file. Labels that name a folder which is gone or was moved say nothing, and the files that the folder's own `.env` gives
 * are its own wherever they lie.
 */
export async function isOfNeighbour(origin: Origin, directory: string): Promise<boolean> {
  if (await isOfFilesNamedIn(directory, origin)) return false
  for (const file of await namedFiles(origin)) if ((await isRegularFile(file)) && dirname(await realPath(file)) !== directory) return true
  if (!isAbsolute(origin.workingDirectory)) return false
  const folder = await realPath(origin.workingDirectory)
  return folder !== directory && (await hasComposeFile(folder))
}

/**
 * Returns whether a container that was not there at the last look belongs to this project of the folder, and not to another folder
 * with the same project name. It compares the labels and looks at no disk, so it may be called while the stack is down.
 */
export function isMadeFrom(origin: Origin, project: Pick<ProjectState, 'name' | 'workingDirectory' | 'otherWorkingDirectories' | 'services' | 'configFiles'>, directory: string): boolean {
  if (origin.project !== project.name || project.services?.includes(origin.service) === false) return false
  const { workingDirectory } = origin
  if (workingDirectory === '') return true
  const files = pathsIn(origin.configFiles)
  // Compose works in the folder of the first file, which others may have in common with the stack: then the further ones tell.
  const isToldByLaterFiles = dirname(project.configFiles[0] ?? '') !== directory && project.configFiles.some((file) => dirname(file) === directory)
  if (isToldByLaterFiles && workingDirectory !== directory) return files.some((file) => dirname(file) === directory)
  if ([directory, project.workingDirectory, ...(project.otherWorkingDirectories ?? [])].includes(workingDirectory)) {
    return files.every((file) => !isAbsolute(file) || isInside(file, workingDirectory) || project.configFiles.includes(file))
  }
  return project.configFiles.some((file) => origin.configFiles === file || origin.configFiles.startsWith(`${file},`))
}

/** As they stand in the label, `-` left out but where it is the first. Looks at no disk. */
function pathsIn(configFiles: string): readonly string[] {
  return configFiles.split(isAbsolute(configFiles) ? /,(?=\/)|,-(?=,|$)/ : ',').filter((path) => path !== '')
}

/** `-` came by standard input, and cannot be read again. Without any file, Compose looks for those of the folder. */
function isFile(path: string): boolean {
  return path !== '-' && path !== ''
}

function absoluteIn(folder: string, path: string): string | null {
  if (isAbsolute(path)) return path
  return isAbsolute(folder) ? resolve(folder, path) : null
}

async function isRegularFile(path: string): Promise<boolean> {
  return fileSystem.stat(path).then(({ kind }) => kind === 'file', () => false)
}
