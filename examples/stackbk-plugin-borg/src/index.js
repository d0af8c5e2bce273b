import { defineEngine, defineSettings } from '@stackbk/contract'

const settings = defineSettings([
  { section: 'plugin:borg', key: 'REPOSITORY', type: 'path', required: true, role: 'location', help: 'folder of the borg repository' },
  { section: 'plugin:borg', key: 'PASSPHRASE_FILE', type: 'path', oneOf: 'password', help: 'file that holds the passphrase of the repository' },
])

/** Cheap: what does the work is loaded by `create`. */
export const borg = defineEngine({
  id: 'borg',
  title: 'borg snapshot engine',
  settings,
  async create(values, context) {
    const { createBorgEngine } = await import('./engine.js')
    return createBorgEngine({ repository: values.REPOSITORY, passphraseFile: values.PASSPHRASE_FILE }, context)
  },
})
