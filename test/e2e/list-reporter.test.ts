import { fileURLToPath } from 'node:url'

import { spawn } from '@lydell/node-pty'
import { expect, it } from 'vitest'

import { screenOf } from '../fixtures/terminal-screen.js'

const script = fileURLToPath(new URL('../fixtures/list-reporter.mjs', import.meta.url))
const size = { columns: 80, rows: 24 }

/** Returns the exit code and what a terminal shows at the end, with all that has scrolled out of it. */
async function reported(...args: readonly string[]): Promise<readonly [exitCode: number, lines: readonly string[]]> {
  const terminal = spawn(process.execPath, [script, ...args], { cols: size.columns, rows: size.rows, env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', LC_ALL: 'C.UTF-8' } })
  let output = ''
  terminal.onData((text) => (output += text))
  const exitCode = await new Promise<number>((resolve) => terminal.onExit((ended) => resolve(ended.exitCode)))
  return [exitCode, await screenOf(output, size)]
}

it('leaves a row for each stack and each kind of step on the screen, and none of the frames that were painted before', async () => {
  expect(await reported()).toEqual([
    0,
    ['✔ fetching the copy', '✔ blog  ok', '✔ wiki  ok', 'warning: the disk is nearly full', '✔ removing the copy', 'the end'],
  ])
})

it('leaves each row once when the list is longer than the terminal and remarks are wider than it', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `stack${index + 1}`)
  expect(await reported(...names)).toEqual([
    0,
    ['✔ fetching the copy', ...names.map((name) => `✔ ${name}  ok`), 'warning: the disk is nearly full', '✔ removing the copy', 'the end'],
  ])
})
