import { defineSettings, defineTransport } from '@stackbk/contract'

const settings = defineSettings([
  { section: 'plugin:folder', key: 'FOLDER', type: 'path', required: true, help: 'folder that the copy goes to; it has to be there' },
])

/** Cheap: what does the work is loaded by `create`. */
export const folder = defineTransport({
  id: 'folder',
  title: 'a plain folder as a remote',
  settings,
  async create(values) {
    const { createFolderTransport } = await import('./transport.js')
    return createFolderTransport(values.FOLDER)
  },
})
