import type { AnyDescriptor, StackbkHooks } from '@stackbk/contract'
import type { Hook, Interfaces } from '@oclif/core'

/** Tells the core what this plugin provides. */
const providers: Hook<'stackbk:providers', StackbkHooks & Interfaces.Hooks> = async (): Promise<readonly AnyDescriptor[]> => []

export default providers
