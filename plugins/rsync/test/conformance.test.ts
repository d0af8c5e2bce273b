import { transportSuite } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, describe, test } from 'vitest'

import { freePort } from '../../../test/fixtures/remotes.js'
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
    const values = server.settings(server.freshFolder())
    return { transport: await transportWith(values), unreachable: await transportWith({ ...values, PORT: await freePort() }), localRoot: folder.path, close: folder.remove }
  })
  // Each connection is a second of waiting on a busy machine, and every test has a folder of its own.
  for (const { name, run } of suite) test.concurrent(name, run)
})
