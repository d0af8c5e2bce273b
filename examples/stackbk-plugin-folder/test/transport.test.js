import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { transportSuite } from '@stackbk/contract/conformance'

import { createFolderTransport } from '../src/transport.js'

const home = await mkdtemp(join(tmpdir(), 'stackbk-plugin-folder-'))
const emptyFolder = () => mkdtemp(join(home, 'folder-'))
after(() => rm(home, { recursive: true }))

/** Everything that stackbk expects of any transport. */
describe('conformance', () => {
  const makeSubject = async () => ({ transport: createFolderTransport(await emptyFolder()), unreachable: createFolderTransport(join(home, 'unmounted')), localRoot: await emptyFolder() })
  for (const { name, run } of transportSuite(makeSubject)) test(name, () => run())
})

/** What is this one's own. */
test('a folder that is not there is a remote that cannot be reached', async () => {
  const answer = await createFolderTransport(join(home, 'unmounted')).list('')
  assert.equal(answer.ok, false)
  assert.equal(answer.failure.kind, 'remote-unreachable')
})

test('what a kill has left half copied is no file of the copy', async () => {
  const root = await emptyFolder()
  await writeFile(join(root, 'config.stackbk-partial'), 'half')
  const answer = await createFolderTransport(root).list('')
  assert.deepEqual(answer.ok && answer.value, [])
  assert.deepEqual(await readdir(root), ['config.stackbk-partial'])
})
