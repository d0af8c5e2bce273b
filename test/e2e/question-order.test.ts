import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, it } from 'vitest'

import { openTerminal } from '../fixtures/pseudo-terminal.js'
import { makeSmallHost, type SmallHost } from '../fixtures/small-host.js'

let host: SmallHost

beforeAll(() => {
  host = makeSmallHost(['web'], 'web=true\n')
  host.snapshot('web')
  mkdirSync(join(host.root, 'full'))
  writeFileSync(join(host.root, 'full', 'file'), 'x')
})
afterAll(() => host.remove())

it.each([
  ['kit check', ['kit', 'check', '/nonexistent'], 'there is no kit /nonexistent'],
  ['kit write', ['kit', 'write', '/nonexistent/kit.age'], 'there is no folder /nonexistent'],
  ['recover', ['recover', '--target', 'full'], 'is not empty'],
])('%s looks at the path that was given before it asks anything', async (_, words, refusal) => {
  const terminal = openTerminal([...words.map((word) => (word === 'full' ? join(host.root, word) : word)), '--config', host.config], { environment: host.environment })
  expect(await terminal.ended, terminal.said()).toBe(2)
  expect(terminal.said()).toContain(refusal)
  expect(terminal.said()).not.toMatch(/Passphrase|Which stack/)
})
