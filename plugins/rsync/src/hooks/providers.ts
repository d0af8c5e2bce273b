import type { AnyDescriptor, StackbkHooks } from '@stackbk/contract'
import type { Hook, Interfaces } from '@oclif/core'

import { rsync } from '../index.js'

/** Tells the core what this plugin provides. */
const providers: Hook<'stackbk:providers', StackbkHooks & Interfaces.Hooks> = async (): Promise<readonly AnyDescriptor[]> => [rsync]

export default providers
