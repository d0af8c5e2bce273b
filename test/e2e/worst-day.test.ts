import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { removeProject } from '../fixtures/compose-stack.js'
import { typedScript } from '../fixtures/typed-script.js'
import { makeWorld, oneService, type World, type WorldStack } from '../fixtures/world.js'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const page = readFileSync(new URL('../../docs/worst-day.md', import.meta.url), 'utf8')
const passphrase = 'correct horse battery staple'

/** The commands of one section of the page, as they stand there. */
function commandsOf(heading: string): string {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  const blocks = [...(section ?? '').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  if (blocks.length === 0) throw new Error(`the page has no commands under "${heading}"`)
  return blocks.join('')
}

let world: World
let blog: WorldStack
let wiki: WorldStack
const at = (name: string): string => join(world.root, name)

/**
 * Runs them in a terminal, as an administrator types them, on a host whose /etc and network are of the test's own. A question
 * for a passphrase is answered.
 */
async function typed(commands: string, folder = world.root): Promise<string> {
  const script = ['set -e', 'busybox ip link set lo up', `mount --bind ${at('etc')} /etc`, `cd ${folder}`, commands, 'echo all of it was done'].join('\n')
  const said = await typedScript({
    argv: ['unshare', '--net', '--mount', 'bash', '-c', script],
    env: { PATH: world.fakePath, HOME: at('home'), TERM: 'xterm', STACKBK_STATE_DIR: world.state, RESTIC_CACHE_DIR: at('cache') },
    passphrase,
  })
  expect(said).toContain('all of it was done')
  return said
}

beforeAll(async () => {
  world = await makeWorld()
  blog = await world.stack('blog', { model: oneService })
  wiki = await world.stack('wiki', { model: oneService })
  for (const stack of [blog, wiki]) stack.write('data/file', `what ${stack.name} held`)
  world.fake('stackbk', `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`)
  writeFileSync(at('passphrase'), passphrase)
  // Where stackbk looks for its configuration, on a host of the test's own.
  mkdirSync(at('etc/stackbk'), { recursive: true })
  for (const name of ['passwd', 'group', 'nsswitch.conf', 'hosts', 'resolv.conf']) copyFileSync(join('/etc', name), join(at('etc'), name))
  world.configure({ docker: { DIRLIST: world.dirlist } })
  copyFileSync(world.config, at('etc/stackbk/config.ini'))
  chmodSync(at('etc/stackbk/config.ini'), 0o600)
  for (const call of [['backup'], ['sync'], ['kit', 'write', at('stackbk.kit'), '--passphrase-file', at('passphrase')]]) {
    const { exitCode, stderr } = await world.run(call)
    expect(exitCode, stderr).toBe(0)
  }
})
afterAll(() => world.remove())

const isBack = async (stack: WorldStack): Promise<void> => {
  expect(stack.read('data/file')).toBe(`what ${stack.name} held`)
  expect(await stack.running()).toEqual(['app'])
}

describe('the page for the worst day', () => {
  it('brings a broken stack back', async () => {
    blog.write('data/file', 'rubbish')
    await typed(commandsOf('One stack is broken, the host is well'))
    await isBack(blog)
  })

  it('brings the repository back', async () => {
    rmSync(world.repository, { recursive: true })
    await typed(commandsOf('The backup disk is gone, the stacks run'))
    await world.check()
  })

  it('brings everything back when the host is gone, from the kit alone', async () => {
    for (const { project } of [blog, wiki]) await removeProject(project)
    for (const name of ['stacks', 'repository', 'state', 'password', 'config.ini', 'dirlist', 'rclone.conf', 'cache', 'etc/stackbk']) rmSync(at(name), { recursive: true, force: true })
    const said = await typed(commandsOf('The host is gone'))
    expect(said).toMatch(/restore ok/)
    expect(said).toMatch(/backup ok[\s\S]*sync ok/)
    await isBack(blog)
    await isBack(wiki)
  })

  it('brings files back without stackbk', async () => {
    await typed(commandsOf('stackbk itself cannot be used'), at('stackbk-kit'))
    expect(readFileSync(join(at('stackbk-kit'), 'files', blog.directory, 'data', 'file'), 'utf8')).toBe('what blog held')
  })
})
