import { fileURLToPath } from 'node:url'

import { Config } from '@oclif/core/config'
import type { Interfaces } from '@oclif/core'

import { forbidExit } from '../host/foreign-code.js'
import { originOf } from './offers.js'
import { within } from './plugin-hook.js'
import { distrustOfPlugins } from './plugin-loading.js'
import { reasonOf } from './thrown.js'

/** To read what is installed and, of a plugin that brings commands without a manifest, to import those. Milliseconds. */
const loadLimitMs = 15_000

/** Hooks in which oclif waits for a plugin at every call, whatever is called: one that hangs or throws there is all over. */
const ofEveryCall: readonly string[] = ['init', 'preparse', 'prerun', 'postrun', 'finally', 'command_not_found', 'command_incomplete', 'jit_plugin_not_installed']

/**
 * oclif's own configuration with all plugins in it. Of plugins that do not come with stackbk no hook counts that would have a say
 * in every call. Where they cannot be loaded at all, as one whose commands hang when they are imported, stackbk goes on without
 * any of them, and says so on standard error.
 *
 * @param root - the address of the program's own module
 */
export async function loadOclif(root: string): Promise<Interfaces.Config> {
  const allowExit = forbidExit()
  try {
    const distrust = distrustOfPlugins(process.env)
    if (distrust !== null) {
      process.stderr.write(`warning: going on without any installed plugin, for another user can change them and this is root: ${distrust.path}: ${distrust.reason}. ${distrust.fix}\n`)
      return await Config.load({ root: fileURLToPath(root), userPlugins: false })
    }
    const config = await within(loadLimitMs, Config.load(fileURLToPath(root)))
    for (const plugin of config.plugins.values()) if (originOf(plugin) !== 'bundled') plugin.hooks = withoutThoseOfEveryCall(plugin.hooks)
    return config
  } catch (error) {
    process.stderr.write(`warning: going on without any installed plugin, for they could not be loaded: ${reasonOf(error)}\n`)
    return await Config.load({ root: fileURLToPath(root), userPlugins: false })
  } finally {
    allowExit()
  }
}

function withoutThoseOfEveryCall(hooks: Interfaces.Plugin['hooks']): Interfaces.Plugin['hooks'] {
  return Object.fromEntries(Object.entries(hooks).filter(([event]) => !ofEveryCall.includes(event)))
}
