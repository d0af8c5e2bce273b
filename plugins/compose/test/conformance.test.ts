import { runtimeSuite } from '@stackbk/contract/conformance'
import { test } from 'vitest'

import { healthyCommand, makeComposeStack, quickHealthcheck, removeProject, service } from '../../../test/fixtures/compose-stack.js'
import { unownedRuntime } from './runtime-for-test.js'

const compose = {
  services: {
    db: service({ command: healthyCommand, healthcheck: quickHealthcheck(), volumes: ['data:/data'] }),
    web: service({ depends_on: { db: { condition: 'service_healthy' } } }),
    extra: service(),
  },
  volumes: { data: {} },
}

const suite = runtimeSuite(async () => {
  const { runtime } = await unownedRuntime()
  return {
    runtime,
    async makeStack() {
      const stack = await makeComposeStack({ compose, isUp: false })
      return {
        directory: stack.directory,
        up: () => stack.up(),
        stopService: async (name) => void (await stack.compose('stop', '-t', '5', name)),
        breakModel: () => stack.write('compose.yaml', 'services: [broken\n'),
        running: () => stack.running(),
        takeAway: () => removeProject(stack.project),
        remove: () => stack.remove(),
      }
    },
  }
})

for (const { name, run } of suite) test(name, run)
