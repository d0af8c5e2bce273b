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
  async create(settings, context) {
    const { createComposeRuntime } = await import('./runtime.js')
    const requested = settings['COMPOSE_ENV']
    return createComposeRuntime(context, Array.isArray(requested) ? requested : [])
  },
})

export default composeRuntime
