import type { Hook } from '@oclif/core'

import { StackbkError } from '../errors.js'
import { noteInstalling } from '../ui/installed-plugins.js'

/**
 * Before oclif installs a plugin: does it fit? It sees names and files, not `plugins link`. Of what is thrown here oclif lets only
 * its own kind of error stop the installation.
 */
const hook: Hook<'plugins:preinstall'> = async function ({ plugin, config }) {
  const [{ checkBeforeInstall }, { createExec }] = await Promise.all([import('../providers/install-check.js'), import('@stackbk/tool-runner')])
  try {
    noteInstalling(await checkBeforeInstall(config, plugin, createExec()))
  } catch (error) {
    if (!(error instanceof StackbkError)) throw error
    // With --json oclif takes the other one.
    throw Object.assign(error, { oclif: { exit: 2 }, exitCode: 2 })
  }
}

export default hook
