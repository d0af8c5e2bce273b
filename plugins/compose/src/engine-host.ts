import { release } from 'node:os'
import { join } from 'node:path'

import { files, isUnknown } from '@stackbk/tool-runner/files'

/** Where the engine runs, by its own words. */
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
  const { name, kernel, rootFolder } = system
  if (!rootFolder.startsWith('/')) return null
  const differs = kernel !== '' && kernel !== release() ? `, and its kernel is ${kernel}, not ${release()}` : ''
  const engine = `the engine (${name || 'of unknown name'})`
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

/** Returns the ID of the engine whose data folder this is; `null` if the folder does not say, or this user may not read it. */
async function engineOf(rootFolder: string): Promise<string | null> {
  try {
    const written = (await files.readText(join(rootFolder, 'engine-id'))).trim()
    return /^[\w:-]{8,}$/.test(written) ? written : null
  } catch {
    return null
  }
}
