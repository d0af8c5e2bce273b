import { defineEngine } from '@stackbk/contract'

import { settings } from './settings.js'

/** restic as a snapshot engine. Cheap: what does the work is loaded by `create`. */
export const restic = defineEngine({
  id: 'restic',
  title: 'restic snapshot engine',
  settings,
  async create(values, context) {
    const { createResticEngine } = await import('./engine.js')
    return createResticEngine(values, context)
  },
})
