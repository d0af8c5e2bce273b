import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { spawn, type IPty } from '@lydell/node-pty'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { RecoverResult } from '../../src/stages/recover/recover-result.js'
import { openTerminal } from '../fixtures/pseudo-terminal.js'
import { sampled } from '../fixtures/sampled.js'
import { makeWorld, type World, type WorldStack } from '../fixtures/world.js'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const patienceMs = 60_000

let world: World
let web: WorldStack

beforeAll(async () => {
  world = await makeWorld({ settings: { local_backup: { AUTO_PRUNE: false, ENABLE_VERIFICATION: false } } })
  web = await world.stack('web')
  web.write('data/big', randomBytes(5_000_000))
})
afterAll(() => world.remove())
beforeEach(async () => {
  expect((await world.run(['resume'])).exitCode).toBe(0)
})

/** stackbk in a terminal of its own, which can be taken away from it. */
function inTerminal(args: readonly string[], environment: Readonly<Record<string, string>> = {}): { readonly terminal: IPty; readonly said: () => string; readonly ended: Promise<void> } {
  const terminal = spawn(process.execPath, [program, ...args, '--config', world.config], {
    cols: 80,
    rows: 24,
    env: { PATH: process.env['PATH'] ?? '', HOME: world.root, STACKBK_STATE_DIR: world.state, TERM: 'xterm', ...environment },
  })
  let said = ''
  terminal.onData((text) => (said += text))
  const ended = new Promise<void>((resolve) => terminal.onExit(() => resolve()))
  return { terminal, said: () => said, ended }
}

async function until(fact: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await passTime(20)
  }
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
const lastRun = (): { command?: string; status?: string; exitCode?: number } => {
  const lines = readFileSync(join(world.state, 'history.jsonl'), 'utf8').trim().split('\n')
  return JSON.parse(lines.at(-1) ?? '{}') as object
}

describe('a terminal that is closed while a stack is down', () => {
  it.each(sampled(['xterm', 'dumb']))('ends the run as HUP does, with the stack up again (TERM=%s)', async (TERM) => {
    const before = await web.running()
    const { terminal } = inTerminal(['backup'], { TERM })
    await until(() => world.journal().length > 0, 'the stack is about to be stopped')
    // Closes the other end too: what is written from now on fails with EIO.
    ;(terminal as IPty & { destroy(): void }).destroy()
    await until(() => !isAlive(terminal.pid), 'the run has ended')
    expect(await web.running()).toEqual(before)
    expect(world.journal()).toEqual([])
    expect(lastRun()).toMatchObject({ command: 'backup', status: 'interrupted', exitCode: 129 })
  })
})

describe('an output that cannot be written', () => {
  it('ends nothing in mid-run, and is told of with exit 1', async () => {
    const before = await web.running()
    const ended = await new Promise<{ code: number; stderr: string }>((resolve) => {
      execFile('sh', ['-c', 'exec "$0" "$@" > /dev/full', process.execPath, program, 'backup', '--config', world.config], { env: { ...process.env, STACKBK_STATE_DIR: world.state } }, (error, _, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }))
    })
    expect(ended.stderr).toMatch(/^Error: the output could not be written\n {2}ENOSPC/m)
    expect(ended.code).toBe(1)
    expect(await web.running()).toEqual(before)
    expect(lastRun()).toMatchObject({ command: 'backup', status: 'ok', exitCode: 0 })
    expect(readdirSync(join(world.state, 'journal'))).toEqual([])
  })
})

describe('a confirmation', () => {
  it('that is answered with no is no error: nothing was changed, and the history calls it declined', async () => {
    expect((await world.run(['backup'])).exitCode).toBe(0)
    const before = await web.containers()
    const path = join(web.directory, 'data', 'big')
    const terminal = openTerminal(['recover', 'web', '--path', 'data/big', '--wait=2m', '--config', world.config], { environment: { HOME: world.root, STACKBK_STATE_DIR: world.state } })
    await terminal.sees(/Replace\s+only\s+\S+data\/big\s+of\s+web\s+from\s+its\s+snapshot\s+[0-9a-f]{8}\s+of\s+\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d\?/)
    await terminal.sees(/Meanwhile\s+app,\s+db\s+are\s+stopped/)
    await terminal.sees('y or n')
    terminal.types('n')
    expect(await terminal.ended).toBe(1)
    expect(terminal.said()).toMatch(/nothing was changed\s*$/)
    expect(terminal.said()).not.toContain('Error')
    expect(await web.containers()).toBe(before)
    expect(existsSync(path)).toBe(true)
    expect(lastRun()).toMatchObject({ command: 'recover', status: 'failed', declined: true, exitCode: 1 })
    expect((await world.run(['history', '--limit', '1'])).stdout).toMatch(/recover +declined +1 /)
  })

  it('that is given for one file brings back that file, and counts nothing else', async () => {
    const { result, exitCode } = await world.json<RecoverResult>(['recover', 'web', '--path', 'data/big', '--yes'])
    expect([exitCode, result.stacks.map(({ files, bytes }) => ({ files, bytes }))]).toEqual([0, [{ files: 1, bytes: 5_000_000 }]])
  })
})

describe('in a terminal', () => {
  it('there is a row a stack, no wider than the terminal, and the summary stays', async () => {
    const { said, ended } = inTerminal(['backup'])
    await ended
    expect(said()).toContain('web')
    expect(said()).toMatch(/STACK +RESULT +SNAPSHOT/)
    expect(said()).toMatch(/backup ok: 1 of 1 stack /)
  })
})
