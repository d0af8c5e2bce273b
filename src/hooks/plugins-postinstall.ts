import type { Hook } from '@oclif/core'

import { collectOffers } from '../providers/collect.js'
import { describeInstalled, takeInstalled } from '../ui/installed-plugins.js'

/** After it: what it provides, or why it cannot be used. */
const hook: Hook<'plugins:postinstall'> = async function ({ config }) {
  const text = describeInstalled(await collectOffers(config), takeInstalled())
  if (text !== '') process.stderr.write(`\n${text}\n`)
}

export default hook
