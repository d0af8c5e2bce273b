import type { AnyDescriptor, StackbkHooks } from '@stackbk/contract'
import type { Hook, Interfaces } from '@oclif/core'

import { s3 } from '../index.js'

/** Tells the core what this plugin provides. */
const providers: Hook<'stackbk:providers', StackbkHooks & Interfaces.Hooks> = async (): Promise<readonly AnyDescriptor[]> => [s3]

export default providers
