import { join } from 'node:path'

import { defineRuntime } from '@stackbk/contract'

/**
 * Docker Compose as a container runtime. Which engine is meant is Docker's own affair (DOCKER_HOST, contexts), and grace, stop
 * mode and health limit come with the calls.
 */
export const composeRuntime = defineRuntime({
  id: 'compose',
  title: 'Docker Compose container runtime',
  settings: [
    { section: 'docker', key: 'COMPOSE_ENV', type: 'list', default: [], help: "names of variables of stackbk's own environment that Compose gets too, in front of a stack's `.env`" },
  ],
  // Compose itself is looked for in its folder `cli-plugins`, and its `config.json` names programs for credentials.
  commandFiles(_, { DOCKER_CONFIG: folder = '' }) {
    return folder === '' ? [] : [folder, join(folder, 'config.json'), join(folder, 'cli-plugins')].map((path) => ({ namedBy: 'DOCKER_CONFIG', path }))
  },
  async create(settings, context) {
    const { createComposeRuntime } = await import('./runtime.js')
    const requested = settings['COMPOSE_ENV']
    return createComposeRuntime(context, Array.isArray(requested) ? requested : [])
  },
})

export default composeRuntime
