import { defineTransport } from '@stackbk/contract'

import { settings } from './settings.js'

/** A bucket of any S3 server as a transport to the cloud. Cheap: what does the work is loaded by `create`. */
export const s3 = defineTransport({
  id: 's3',
  title: 'S3 transport',
  settings,
  async create(values, context) {
    const { createS3Transport } = await import('./transport.js')
    return createS3Transport(values, context)
  },
})
