import { expect, test } from 'vitest'

import { createDocker } from '../src/docker.js'

test.each([
  'failed to create network x: Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
  'failed to create network x: Error response from daemon: all predefined address pools have been fully subnetted',
])('docker without a free range for a network names the cure: %s', async (said) => {
  const full = { outcome: 'exited' as const, exitCode: 1, endedBySignal: null, stdout: '', stdoutBytes: new Uint8Array(), stderr: said, durationMs: 0, wasKilled: false, startError: null }
  const run = async (): Promise<typeof full> => full
  const client = createDocker({ run, start: () => ({ process: null, result: run(), stop: run }) })
  expect(await client.ask('docker compose up --no-start', ['compose', 'up'])).toMatchObject({ ok: false, failure: { kind: 'failed', toolOutput: said, fix: expect.stringMatching(/default-address-pools.*daemon\.json/) as string } })
})
