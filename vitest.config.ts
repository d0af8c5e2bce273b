import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const alias = [
  { find: /^@stackbk\/contract\/conformance$/, replacement: at('packages/contract/src/conformance/index.ts') },
  { find: /^@stackbk\/contract$/, replacement: at('packages/contract/src/index.ts') },
  { find: /^@stackbk\/tool-runner\/processes$/, replacement: at('packages/tool-runner/src/processes.ts') },
  { find: /^@stackbk\/tool-runner\/files$/, replacement: at('packages/tool-runner/src/files.ts') },
  { find: /^@stackbk\/tool-runner$/, replacement: at('packages/tool-runner/src/index.ts') },
  { find: /^@stackbk\/plugin-([a-z-]+)$/, replacement: at('plugins/$1/src/index.ts') },
]

/** Real tools wait more than they compute: a few more files at once than the smallest machine has cores. */
const workers = 3

/** On a loaded machine a real engine now and then fails by itself: what fails twice has failed. */
const realToolRetries = 1

/** A busy machine takes its time to compile a program or to start one: the limit is for what hangs. */
const unitTimeout = 60_000

/** Tests of the real tools take what those take: the limit is for what hangs. */
const realToolTimeout = 120_000

export default defineConfig({
  test: {
    disableConsoleIntercept: true,
    projects: [
      { resolve: { alias }, test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'packages/*/test/**/*.test.ts'], testTimeout: unitTimeout, hookTimeout: unitTimeout, maxWorkers: workers, sequence: { groupOrder: 0 } } },
      {
        resolve: { alias },
        test: { name: 'plugins', include: ['plugins/*/test/**/*.test.ts'], testTimeout: realToolTimeout, hookTimeout: realToolTimeout, retry: realToolRetries, maxWorkers: workers, sequence: { groupOrder: 1 } },
      },
      // A kill that is not recovered from is one too many: nothing is tried twice here. It takes the limits of each kill itself.
      { resolve: { alias }, test: { name: 'matrix', include: ['test/matrix/**/*.test.ts'], disableConsoleIntercept: true, maxWorkers: workers, sequence: { groupOrder: 2 } } },
      { resolve: { alias }, test: { name: 'mirror', include: ['test/mirror/**/*.test.ts'], maxConcurrency: 2, disableConsoleIntercept: true, maxWorkers: workers, sequence: { groupOrder: 2 } } },
      {
        resolve: { alias },
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: realToolTimeout, hookTimeout: realToolTimeout, retry: realToolRetries, maxWorkers: workers, sequence: { groupOrder: 2 } },
      },
    ],
  },
})
