import { defineTransport } from '@stackbk/contract'

import { settings } from './settings.js'

/** rsync over SSH as a transport. Cheap: what does the work is loaded by `create`. */
export const rsync = defineTransport({
  id: 'rsync',
  title: 'rsync over SSH transport',
  settings,
  async create(values, context) {
    const { createRsyncTransport } = await import('./transport.js')
    return createRsyncTransport(values, context)
  },
})
