import type { Hook } from '@oclif/core'

import { showInstalled, takeInstalled } from '../ui/installed-plugins.js'

/** After a plugin is installed: what it provides, or why it cannot be used. */
const hook: Hook<'plugins:postinstall'> = async function ({ config }) {
  const names = takeInstalled()
  if (names.length === 0) return
  const { collectOffers } = await import('../providers/collect.js')
  showInstalled(await collectOffers(config), names)
}

export default hook
