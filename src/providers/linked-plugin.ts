import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import type { Interfaces } from '@oclif/core'

import { StackbkError } from '../errors.js'
import { loadOclif } from './load-oclif.js'

/** Returns the name of the plugin in a folder. Throws (kind `configuration`) where there is none. */
export function nameOfPlugin(path: string): string {
  const folder = resolve(path)
  const refused = (detail: string, fix: string): StackbkError => new StackbkError({ kind: 'configuration', code: 'not-a-plugin', message: `${folder} is not a plugin of stackbk`, detail: `${detail}; nothing was linked`, fix })
  let facts: { readonly name?: unknown; readonly oclif?: unknown }
  try {
    facts = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as typeof facts
  } catch (error) {
    throw refused(`its package.json cannot be read: ${error instanceof Error ? error.message : String(error)}`, 'Give the folder that holds the package.json of the plugin')
  }
  if (typeof facts.name !== 'string' || facts.name === '') throw refused('its package.json has no "name"', 'Add it')
  if (typeof facts.oclif !== 'object' || facts.oclif === null) throw refused('its package.json has no "oclif"', 'Add it: "oclif": { "hooks": { "stackbk:providers": "./src/hooks/providers.js" } }')
  return facts.name
}

/** Without one oclif warns that the dependencies may be missing, whether there are any or not. */
export function hasLockfile(path: string): boolean {
  return ['package-lock.json', 'yarn.lock', 'pnpm-lock.yaml'].some((name) => existsSync(join(resolve(path), name)))
}

/** Returns oclif's configuration again, with what has been linked since. `root`: the folder of stackbk. */
export function reloaded(root: string): Promise<Interfaces.Config> {
  return loadOclif(pathToFileURL(join(root, 'bin', 'main.js')).href)
}
