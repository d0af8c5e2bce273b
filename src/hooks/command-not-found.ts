import type { Hook } from '@oclif/core'

import { nearestName } from '../config/nearest-name.js'
import { StackbkError } from '../errors.js'
import { errorText, formatError } from '../ui/error-text.js'

/** An unknown command: exit 2, with the nearest known one. oclif's own plugin for this prompts and exits 127. */
const hook: Hook.CommandNotFound = async function ({ id, config, argv }) {
  const asked = id.replaceAll(':', ' ')
  const known = config.commandIDs.map((name) => name.replaceAll(':', ' '))
  const nearest = nearestName(asked, known) ?? nearestName(asked.split(' ')[0] ?? '', known)
  const error = new StackbkError({
    kind: 'usage',
    code: 'unknown-command',
    message: `there is no command "${asked}"`,
    fix: nearest === null || nearest === undefined ? 'See: stackbk --help' : `Did you mean: stackbk ${nearest}`,
  })
  const text = errorText(error)
  const words = [...process.argv.slice(2), ...(argv ?? [])]
  if (words.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { code: text.code, message: text.message, fix: text.fix, exitCode: 2 } }, null, 2)}\n`)
  else process.stderr.write(`${formatError(text)}\n`)
  process.exitCode = 2
}

export default hook
