import type { AnyDescriptor, StackbkHooks } from '@stackbk/contract'
import type { Hook, Interfaces } from '@oclif/core'

import { command, email, ping, textfile, webhook } from '../index.js'

/** Tells the core what this plugin provides. */
const providers: Hook<'stackbk:providers', StackbkHooks & Interfaces.Hooks> = async (): Promise<readonly AnyDescriptor[]> => [webhook, email, ping, textfile, command]

export default providers
