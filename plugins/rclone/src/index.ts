import { defineTransport } from '@stackbk/contract'

import { settings } from './settings.js'

/** rclone as a transport to the cloud. Cheap: what does the work is loaded by `create`. */
export const rclone = defineTransport({
  id: 'rclone',
  title: 'rclone transport',
  settings,
  async create(values, context) {
    const { createRcloneTransport } = await import('./transport.js')
    return createRcloneTransport(values, context)
  },
})
