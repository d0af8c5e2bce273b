import { rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import { transportSuite } from '@stackbk/contract/conformance'
import { afterAll, beforeAll, describe, test } from 'vitest'

import { freePort, rcloneConfig, startRemote, type RemoteKind, type TestRemote } from '../../../test/fixtures/remotes.js'
import { sampled } from '../../../test/fixtures/sampled.js'
import { temporaryFolder, transportWith } from './transport.js'

/** One where files appear whole and one where they do not come first; whole stacks go over the other two in every run. */
const kinds = sampled<RemoteKind>(['folder', 'webdav', 'sftp', 's3'], 2)

describe.each(kinds)('over %s', (kind) => {
  let remote: TestRemote
  beforeAll(async () => {
    remote = await startRemote(kind)
  })
  afterAll(async () => {
    await remote?.close()
  })

  const suite = transportSuite(async () => {
    const folder = await temporaryFolder()
    const transport = await transportWith({ RCLONE_REMOTE: remote.name, RCLONE_CONFIG: remote.configFile, RCLONE_PATH: remote.freshPath() })
    const deadServer = join(folder.path, '..', `${basename(folder.path)}.conf`)
    await writeFile(deadServer, rcloneConfig('gone', { kind: 'sftp', port: await freePort(), password: 'secret' }), { mode: 0o600 })
    const unreachable = await transportWith({ RCLONE_REMOTE: 'gone', RCLONE_CONFIG: deadServer })
    return { transport, unreachable, localRoot: folder.path, close: () => Promise.all([folder.remove(), rm(deadServer)]).then(() => {}) }
  })
  for (const { name, run } of suite) test(name, run)
})
