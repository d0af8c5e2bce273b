import { transportSuite } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, describe, test } from 'vitest'

import { sampled } from '../../../test/fixtures/sampled.js'
import { startSshServer, type SshScope, type SshServer } from '../../../test/fixtures/ssh-server.js'
import { temporaryFolder, transportWith } from './transport.js'

const scopes: readonly SshScope[] = ['whole', 'rrsync']

describe.each(sampled(scopes))('over SSH with a key of scope %s', (scope) => {
  let server: SshServer
  beforeAll(async () => {
    server = await startSshServer(scope)
  })
  afterAll(async () => {
    await server?.close()
  })

  const suite = transportSuite(async () => {
    const folder = await temporaryFolder()
    return { transport: await transportWith(server.settings(server.freshFolder())), localRoot: folder.path, close: folder.remove }
  })
  // Each connection is a second of waiting on a busy machine, and every test has a folder of its own.
  for (const { name, run } of suite) test.concurrent(name, run)
})
