import type { Interfaces } from '@oclif/core'
import type { StackbkHooks } from '@stackbk/contract'

import { composeRuntime } from '../index.js'

const providers: Interfaces.Hook<'stackbk:providers', StackbkHooks & Interfaces.Hooks> = async () => [composeRuntime]

export default providers
