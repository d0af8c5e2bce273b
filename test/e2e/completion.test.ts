import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { type IPty, spawn } from '@lydell/node-pty'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { until } from '../fixtures/until.js'
import { makeWorld, type World } from '../fixtures/world.js'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

let world: World
let id: string

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  await world.stack('my web', { isUp: false })
  await world.stack('blog', { isUp: false, isEnabled: false })
  const { result } = await world.backup()
  id = result.stacks[0]?.snapshot?.id.slice(0, 8) ?? ''
  expect(id).toMatch(/^[0-9a-f]{8}$/)
  mkdirSync(join(world.root, 'shell'))
  writeFileSync(join(world.root, 'shell', 'stackbk'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, { mode: 0o755 })
  writeFileSync(join(world.root, 'shell', 'kit.age'), '')
})
afterAll(() => world.remove())

const shells = [
  { shell: 'bash', argv: ['--norc', '--noprofile', '-i'], setUp: 'source <(stackbk completion bash)' },
  { shell: 'zsh', argv: ['-f', '-i'], setUp: 'autoload -Uz compinit; compinit -u -D; source <(stackbk completion zsh)' },
] as const

describe.each(shells)('in $shell, with no engine, no password and no repository in reach', ({ shell, argv, setUp }) => {
  let terminal: IPty
  let said = ''

  /** Types it, and waits until the line is shown so. */
  async function typed(keys: string, shown: string): Promise<void> {
    said = ''
    terminal.write(keys)
    await until(`the line shows ${shown} in ${JSON.stringify(said)}`, () => plain(said).includes(shown))
    terminal.write('\u0015')
  }

  beforeAll(async () => {
    terminal = spawn(shell, [...argv], {
      cols: 200,
      rows: 30,
      cwd: join(world.root, 'shell'),
      env: { PATH: `${join(world.root, 'shell')}:/usr/bin:/bin`, HOME: world.root, TERM: 'xterm', PS1: '> ', PROMPT: '> ', LC_ALL: 'C.UTF-8', DOCKER_HOST: 'unix:///nonexistent', STACKBK_CONFIG: world.config, STACKBK_STATE_DIR: world.state },
    })
    terminal.onData((text) => (said += text))
    terminal.write(`${setUp}; bindkey -e 2>/dev/null; echo re''ady\n`)
    await until('the script is read', () => plain(said).includes('\nready'))
  })
  afterAll(() => terminal.kill('SIGKILL'))
  afterEach(() => (said = ''))

  it('a command, a flag, a choice', async () => {
    await typed('stackbk reco\t', 'stackbk recover ')
    await typed('stackbk backup --accept-s\t', '--accept-shrink ')
    await typed('stackbk backup --stop-mode=p\t', '--stop-mode=pause ')
  })

  it('a stack whose name holds a blank, as one word', async () => {
    await typed('stackbk recover my\t', 'my\\ web ')
    await typed('stackbk dirlist enable bl\t', 'enable blog ')
  })

  it('the snapshot that was made', async () => {
    await typed('stackbk recover --snapshot \t', `--snapshot ${id} `)
    await typed(`stackbk snapshots forget ${id.slice(0, 2)}\t`, `forget ${id} `)
  })

  it('a file where one is wanted', async () => {
    await typed('stackbk kit check ki\t', 'kit.age ')
  })
})

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/\u001b\[[\d;?]*[A-Za-z]|\u001b[=>]|[\u0007\r]/g, '').replaceAll(/.\u0008/g, '')
}
