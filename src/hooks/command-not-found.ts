import type { Hook } from '@oclif/core'

import { knownCommands, unknownCommand } from '../ui/unknown-command.js'
import { showError } from '../ui/error-text.js'

/** An unknown command: exit 2, with the nearest known one. oclif's own plugin for this prompts and exits 127. */
const hook: Hook.CommandNotFound = async function ({ id, config, argv }) {
  const words = [...id.split(':'), ...(argv ?? [])]
  process.exitCode = showError(unknownCommand(words, knownCommands(config.commands)), words)
}

export default hook
