import type { Hook } from '@oclif/core'

import { takeInstalled } from '../ui/installed-plugins.js'

/** After a plugin is installed: what it provides, or why it cannot be used. */
const hook: Hook<'plugins:postinstall'> = async function ({ config }) {
  const names = takeInstalled()
  if (names.length === 0) return
  const [{ describeInstalled }, { collectOffers }] = await Promise.all([import('../ui/present-plugins.js'), import('../providers/collect.js')])
  process.stderr.write(`\n${describeInstalled(await collectOffers(config), names)}\n`)
}

export default hook
