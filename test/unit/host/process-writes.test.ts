import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, it } from 'vitest'

import { ProcessWrites } from '../../../src/host/process-writes.js'

/** The program of a container. It reports by its priority that it has read, since that writes nothing, and by a new folder that it has done another thing. */
const program = `
import os, signal, subprocess, sys
folder = sys.argv[1]
asked = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, asked)
open(folder + '/file').read()
open('/dev/null', 'w').write('x')
os.mkdir(folder + '/' + str(os.getpid()))
while True:
    got = signal.sigwait(asked)
    if got == signal.SIGUSR1:
        open(folder + '/file').read()
        os.setpriority(os.PRIO_PROCESS, 0, 5)
        continue
    if got == signal.SIGUSR2: open(folder + '/file', 'a').write('x')
    if got == signal.SIGHUP: subprocess.run(['sh', '-c', 'echo x >> ' + folder + '/file'])
    os.mkdir(folder + '/done')
`

let folder = ''
let shim: ChildProcess
let pid = 0
const stateOf = (one: number): string | undefined => /\) (\S)/.exec(readFileSync(`/proc/${one}/stat`, 'utf8'))?.[1]
const done = (path: string): Promise<void> => expect.poll(() => existsSync(join(folder, path)), { timeout: 10_000 }).toBe(true)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stackbk-writes-'))
  writeFileSync(join(folder, 'file'), 'x')
  // As a container's shim it starts its program, and on a signal another one, as docker exec does, and then waits for its end.
  shim = spawn('sh', ['-c', `trap 'sh -c "echo x >> $2/file"; mkdir "$2/done"' USR1; python3 -c "$1" "$2" & while :; do wait; done`, 'sh', program, folder], { stdio: 'ignore', detached: true })
  await once(shim, 'spawn')
  const child = (): number => Number(readFileSync(`/proc/${shim.pid}/task/${shim.pid}/children`, 'utf8').trim().split(' ')[0])
  await expect.poll(() => child() > 0 && existsSync(join(folder, `${child()}`)), { timeout: 10_000 }).toBe(true)
  pid = child()
  // The new folder is seen a moment before the kernel has counted all that it cost.
  await expect.poll(() => stateOf(pid), { timeout: 10_000 }).toBe('S')
})
afterEach(async () => {
  const ended = once(shim, 'exit')
  process.kill(-shim.pid!, 'SIGKILL')
  await ended
  rmSync(folder, { recursive: true, force: true })
})

const found = (...pids: number[]): { pid: string; container: string }[] => pids.map((one) => ({ pid: `${one}`, container: 'id' }))

async function wroteNothing(act: () => Promise<void> | void, find: () => Promise<ReturnType<typeof found>> = () => Promise.resolve(found(pid)), ids = ['id']): Promise<boolean> {
  const writes = await ProcessWrites.of(ids, find)
  writes.begin()
  await act()
  writes.end()
  return await writes.wroteNothing()
}
const signalled = (signal: NodeJS.Signals, to = pid) => async (): Promise<void> => {
  process.kill(to, signal)
  await done('done')
}

it('are none of one that only reads', async () => {
  const read = async (): Promise<void> => {
    process.kill(pid, 'SIGUSR1')
    await expect.poll(() => getPriority(pid), { timeout: 10_000 }).toBe(5)
  }
  expect(await wroteNothing(read)).toBe(true)
})

it('are those of its program, of another one that this starts, and of one that is started in the container', async () => {
  expect(await wroteNothing(signalled('SIGUSR2'))).toBe(false)
  rmSync(join(folder, 'done'), { recursive: true })
  expect(await wroteNothing(signalled('SIGHUP'))).toBe(false)
  rmSync(join(folder, 'done'), { recursive: true })
  expect(await wroteNothing(signalled('SIGUSR1', shim.pid))).toBe(false)
})

it('are not known of a container without a process, of a process that has ended, and of one that came meanwhile', async () => {
  const nothing = (): void => {}
  expect(await wroteNothing(nothing)).toBe(true)
  expect(await wroteNothing(nothing, undefined, ['id', 'other'])).toBe(false)
  expect(await wroteNothing(nothing, undefined, [])).toBe(false)
  // The test itself has written.
  const answers = [found(pid), found(pid, process.pid)]
  expect(await wroteNothing(nothing, () => Promise.resolve(answers.shift() ?? []))).toBe(false)
  // It has written before, which counts for its parent now.
  expect(await wroteNothing(async () => {
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false)
  })).toBe(false)
})
