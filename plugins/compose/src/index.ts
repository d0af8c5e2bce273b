import { defineRuntime } from '@stackbk/contract'

/**
 * Docker Compose as a container runtime. It declares no settings: which engine is meant is Docker's own affair
 * (DOCKER_HOST, contexts), and grace, stop mode and health limit come with the calls.
 */
export const composeRuntime = defineRuntime({
  id: 'compose',
  title: 'Docker Compose container runtime',
  settings: [],
  async create(_settings, context) {
    const { createComposeRuntime } = await import('./runtime.js')
    return createComposeRuntime(context)
  },
})

export default composeRuntime
