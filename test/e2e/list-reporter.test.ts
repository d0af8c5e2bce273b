import { fileURLToPath } from 'node:url'

import { spawn } from '@lydell/node-pty'
import { expect, it } from 'vitest'

import { screenOf } from '../fixtures/terminal-screen.js'

const script = fileURLToPath(new URL('../fixtures/list-reporter.mjs', import.meta.url))
const size = { columns: 80, rows: 24 }

it('leaves a row for each stack and each kind of step on the screen, and none of the frames that were painted before', async () => {
  const terminal = spawn(process.execPath, [script], { cols: size.columns, rows: size.rows, env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', LC_ALL: 'C.UTF-8' } })
  let output = ''
  terminal.onData((text) => (output += text))
  const exitCode = await new Promise<number>((resolve) => terminal.onExit((ended) => resolve(ended.exitCode)))
  expect([exitCode, await screenOf(output, size)]).toEqual([
    0,
    ['✔ fetching the copy', '✔ blog  ok', '✔ wiki  ok', 'warning: the disk is nearly full', '✔ removing the copy', 'the end'],
  ])
})
