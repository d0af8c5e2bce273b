import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { dataFolder } from '../host/data-folder.js'
import { type Distrust, distrustOf } from '../host/trust.js'
import { originOf, type PluginHost, type PluginOrigin } from './offers.js'
import { reasonOf } from './thrown.js'

/** A package that is not what was asked for. */
export interface NotLoaded {
  readonly name: string
  readonly origin: PluginOrigin
  readonly reason: string
}

/** All that come with stackbk are called so. */
const bundledName = /^@stackbk\/plugin-/

export function isBundledName(host: Pick<PluginHost, 'pjson'>, name: string): boolean {
  return bundledName.test(name) && Object.hasOwn(host.pjson.dependencies ?? {}, name)
}

/**
 * oclif lets an installed package take the place of a bundled one of the same name. For a snapshot engine that is too much: the
 * bundled ones are put back. Tells of those that were replaced, and of those that are missing.
 */
export async function restoreBundledPlugins(host: PluginHost): Promise<readonly NotLoaded[]> {
  const names = Object.keys(host.pjson.dependencies ?? {}).filter((name) => bundledName.test(name))
  const found: NotLoaded[] = []
  for (const name of names) {
    const present = host.plugins.get(name)
    if (present !== undefined && present.type !== 'user' && present.type !== 'link') continue
    if (present !== undefined) found.push({ name, origin: present.type === 'user' ? 'installed' : 'linked', reason: `it has the name of a plugin that comes with stackbk, in version ${present.version}; the one that comes with it is used` })
    host.plugins.delete(name)
    try {
      const { Plugin } = await import('@oclif/core/config')
      const bundled = new Plugin({ name, root: host.root, type: 'core' })
      await bundled.load()
      host.plugins.set(name, bundled)
    } catch (error) {
      found.push({ name, origin: 'bundled', reason: `it comes with stackbk and cannot be loaded: ${reasonOf(error)}` })
    }
  }
  return found
}

/** What the user has installed or linked and oclif could not load: it says so only as a warning. */
export function pluginsNotLoaded(host: PluginHost): readonly NotLoaded[] {
  return listedPlugins(host.dataDir).flatMap(({ name, type, root }): NotLoaded[] => {
    if (host.plugins.has(name)) return []
    const origin = type === 'link' ? 'linked' : 'installed'
    const folder = root ?? join(host.dataDir, 'node_modules', name)
    return [{ name, origin, reason: `it could not be loaded from ${folder}: ${whyNotThere(folder)}` }]
  })
}

/** Which installed plugin's code threw it, by where it says it comes from; `null` for none. */
export function pluginBehind({ stack = '' }: Error, host: Pick<PluginHost, 'plugins'>): string | null {
  const foreign = [...host.plugins.values()].filter((plugin) => originOf(plugin) !== 'bundled')
  return foreign.find(({ root }) => [`${root}/`, `${pathToFileURL(root).href}/`].some((place) => stack.includes(place)))?.name ?? null
}

/** Why root must not load what is installed: the folder of the plugins, or of one that is linked, can be changed by another user. */
export function distrustOfPlugins(environment: Readonly<Record<string, string | undefined>>): Distrust | null {
  const folder = dataFolder(environment)
  const listed = listedPlugins(folder)
  if (listed.length === 0) return null
  const roots = listed.map(({ name, root }) => root ?? join(folder, 'node_modules', name))
  return [folder, join(folder, 'package.json'), join(folder, 'node_modules'), ...roots].map(distrustOf).find((distrust) => distrust !== null) ?? null
}

/** Returns the name of the plugin that is linked from this folder; `null` where there is none. */
export function linkedIn(dataFolder: string, path: string): string | null {
  return listedPlugins(dataFolder).find(({ type, root }) => type === 'link' && root !== undefined && root === resolve(path))?.name ?? null
}

function listedPlugins(folder: string): readonly { readonly name: string; readonly type: string; readonly root?: string }[] {
  try {
    const { oclif } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { oclif?: { plugins?: unknown } }
    const listed = Array.isArray(oclif?.plugins) ? (oclif.plugins as unknown[]) : []
    return listed.map((plugin) => (typeof plugin === 'string' ? { name: plugin, type: 'user' } : (plugin as { name: string; type: string; root?: string }))).filter(({ name }) => typeof name === 'string')
  } catch {
    // None was ever installed; a list that is broken oclif itself tells of at each start.
    return []
  }
}

function whyNotThere(folder: string): string {
  try {
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return 'something that it needs is missing'
  } catch (error) {
    return reasonOf(error)
  }
}
