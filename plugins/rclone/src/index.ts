import { defineTransport } from '@stackbk/contract'

import { settings } from './settings.js'

/** rclone as a transport to the cloud. Cheap: what does the work is loaded by `create`. */
export const rclone = defineTransport({
  id: 'rclone',
  title: 'rclone transport',
  settings,
  // A remote of it may name a program: `ssh =`, `password_command`, `bearer_token_command`.
  commandFiles({ RCLONE_CONFIG: path }) {
    return typeof path === 'string' ? [{ namedBy: 'RCLONE_CONFIG', path }] : []
  },
  async create(values, context) {
    const { createRcloneTransport } = await import('./transport.js')
    return createRcloneTransport(values, context)
  },
})
