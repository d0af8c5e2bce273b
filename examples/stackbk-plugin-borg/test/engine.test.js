import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { engineSuite } from '@stackbk/contract/conformance'
import { createExec } from '@stackbk/tool-runner'

import { createBorgEngine } from '../src/engine.js'

const hasBorg = spawnSync('borg', ['--version']).status === 0
const home = await realpath(await mkdtemp(join(tmpdir(), 'stackbk-plugin-borg-')))
after(() => rm(home, { recursive: true }))

/** Everything that stackbk expects of any engine. What an engine does not have (layout, retain, eachEntry) is not tested. */
describe('conformance', { skip: hasBorg ? false : 'borg is not installed', concurrency: 3 }, () => {
  const makeBench = async () => {
    const folder = await mkdtemp(join(home, 'bench-'))
    const [repository, source, scratch] = ['repository', 'source', 'scratch'].map((name) => join(folder, name))
    for (const path of [source, scratch]) await mkdir(path)
    for (const name of ['right', 'wrong']) await writeFile(join(folder, name), `${name} passphrase\n`)
    const engineWith = (passphrase) =>
      createBorgEngine({ repository, passphraseFile: join(folder, passphrase) }, { exec: createExec(), cacheDir: join(folder, 'cache'), dataDir: join(folder, 'data'), log: () => {}, signal: new AbortController().signal, dryRun: false })
    return { engine: engineWith('right'), withWrongPassword: engineWith('wrong'), repository, source, scratch, unreadable: '/proc/self/mem', dispose: () => rm(folder, { recursive: true, force: true }) }
  }
  for (const { name, run } of engineSuite(makeBench)) test(name, () => run())
})
