import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { clientConfiguration, type EndpointSources } from './endpoint.js'
import { textList } from './json.js'

/** Where the docker client looks for its plugins after its own folders, in its order. */
const systemFolders = ['/usr/local/lib/docker/cli-plugins', '/usr/local/libexec/docker/cli-plugins', '/usr/lib/docker/cli-plugins', '/usr/libexec/docker/cli-plugins']

/**
 * Returns the program of the Compose plugin that `docker compose` would run, or `null` if it is in none of the usual folders.
 * Called by itself it does the same. Called by the docker client, each call starts three processes in place of one: the client,
 * the plugin for its description, and the plugin. A script that stands in the place of the docker client is somebody's own way
 * to call it: then it is `null` too, as without any docker client.
 */
export async function findComposePlugin(sources: EndpointSources = { environment: process.env, home: homedir() }): Promise<string | null> {
  if (!(await isProgram(await whichDocker(sources.environment['PATH'] ?? '')))) return null
  const { folder, content } = await clientConfiguration(sources)
  const own = content.ok ? textList(content.value['cliPluginsExtraDirs']) : []
  for (const candidate of [...own, join(folder, 'cli-plugins'), ...systemFolders].map((place) => join(place, 'docker-compose'))) {
    if (await isExecutable(candidate)) return candidate
  }
  return null
}

async function whichDocker(path: string): Promise<string | null> {
  for (const candidate of path.split(':').filter((folder) => folder !== '').map((folder) => join(folder, 'docker'))) {
    if (await isExecutable(candidate)) return candidate
  }
  return null
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(() => true, () => false)
}

/** Whether the file is a program, by its first bytes, and no script. */
async function isProgram(file: string | null): Promise<boolean> {
  if (file === null) return false
  try {
    const opened = await open(file)
    try {
      const { buffer } = await opened.read(Buffer.alloc(4), 0, 4, 0)
      return buffer.toString('latin1') === '\x7fELF'
    } finally {
      await opened.close()
    }
  } catch {
    return false
  }
}
