import { release } from 'node:os'
import { join } from 'node:path'

import { files, isUnknown } from '@stackbk/tool-runner/files'

/** What an engine says of the system that it runs on. */
export interface EngineSystem {
  /** Such as `Docker Desktop`; empty where it does not say. */
  readonly name: string
  readonly kernel: string
  /** The folder in which it keeps volumes and containers, on its own file system. */
  readonly rootFolder: string
}

/** What can be done about an engine that runs elsewhere. */
export const elsewhereFix = 'Run stackbk where the engine runs (inside of its virtual machine), or use a Docker engine that is installed on this host (docker context use default)'

/**
 * Returns why the engine behind the local socket keeps its files on another file system than this host's, as in the virtual machine of
 * Docker Desktop, Colima or Lima, or where stackbk runs in a container; `null` if nothing says so. Facts count, and no product's name:
 * its data folder is not here, or is another engine's.
 */
export async function whyElsewhere({ engineId, system }: { readonly engineId: string; readonly system: EngineSystem }): Promise<string | null> {
  const { kernel, rootFolder } = system
  if (!rootFolder.startsWith('/')) return null
  const differs = isOtherKernel(kernel) ? `, and its kernel is ${kernel}, not ${release()}` : ''
  const engine = engineName(system)
  try {
    await files.stat(rootFolder)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (isUnknown(error) || (code !== 'ENOENT' && code !== 'ENOTDIR')) return null
    return `${engine} keeps its data in ${rootFolder}, which is not on this host${differs}`
  }
  const owner = await engineOf(rootFolder)
  return owner === null || engineId === '' || owner === engineId ? null : `${rootFolder} of this host belongs to another engine than ${engine}, which keeps its data elsewhere under that path${differs}`
}

/**
 * As {@link whyElsewhere}, or that the engine's kernel is another one than this host's. That alone proves nothing about its files: it
 * counts where something that the engine has is not here.
 */
export async function signOfElsewhere(engine: { readonly engineId: string; readonly system: EngineSystem }): Promise<string | null> {
  const why = await whyElsewhere(engine)
  if (why !== null || !isOtherKernel(engine.system.kernel)) return why
  return `${engineName(engine.system)} runs with the kernel ${engine.system.kernel}, and this host with ${release()}: it runs in a virtual machine, or elsewhere`
}

/** Returns the engine by what it says of its system, for messages. */
export function engineName({ name }: Pick<EngineSystem, 'name'>): string {
  return `the engine (${name || 'of unknown name'})`
}

/** The engine prints its kernel's release as three numbers and the rest, whatever the kernel itself says. */
function isOtherKernel(kernel: string): boolean {
  const asPrinted = (text: string): string => text.replace(/^(\d+)\.(\d+)(?:\.(\d+))?/, (_all, first: string, second: string, third: string | undefined) => `${first}.${second}.${third ?? '0'}`)
  return kernel !== '' && asPrinted(kernel) !== asPrinted(release())
}

/** Whether nothing is there. What may not be looked at, or does not answer, may be there. */
export async function isAbsent(path: string): Promise<boolean> {
  try {
    await files.stat(path)
    return false
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === 'ENOENT' || code === 'ENOTDIR'
  }
}

/** Returns the ID of the engine whose data folder this is; `null` if the folder does not say, or this user may not read it. */
async function engineOf(rootFolder: string): Promise<string | null> {
  try {
    const written = (await files.readText(join(rootFolder, 'engine-id'))).trim()
    return /^[\w:-]{8,}$/.test(written) ? written : null
  } catch {
    return null
  }
}
