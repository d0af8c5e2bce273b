import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

import { describe, expect, it } from 'vitest'

import { endProcessGroup, groupIsAlive } from '../src/process-group.js'
import { findProcesses, isSameProcess, processState, readProcess } from '../src/process-table.js'
import { isAlive, until, world } from './fixtures.js'

/** A process in a group of its own, and the first line that it says. */
async function spawned(text: string): Promise<{ pid: number; said: string }> {
  const child = spawn('sh', ['-c', text], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = child.pid ?? 0
  world.strays.push(pid)
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return { pid, said: String(said).trim() }
}

/** A process that never reaps: its child, in a group of its own, stays a zombie once it has ended. */
async function zombie(): Promise<number> {
  // It ends only when its parent is no shell any more, which would reap it.
  const { said } = await spawned(`setsid sh -c 'until grep -qx sleep /proc/$1/comm; do sleep 0.01; done' child $$ & echo $!; exec sleep 60`)
  const pid = Number(said)
  await until(() => readProcess(pid)?.state === 'Z', 'the child is a zombie')
  return pid
}

/** A process whose first thread is dead while another lives, as one has it that is stuck in the kernel after its SIGKILL. */
async function headless(): Promise<number> {
  const { said } = await spawned(`exec python3 -c '
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print(os.getpid(), flush=True)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
'`)
  const pid = Number(said)
  await until(() => readProcess(pid)?.state === 'Z', 'its first thread is dead')
  return pid
}

const hasPython = spawnSync('python3', ['-c', '']).status === 0

describe('the process table', () => {
  it('knows a process by its PID and the time of its start', async () => {
    const { pid } = await spawned('echo up; sleep 60')
    const startTicks = readProcess(pid)?.startTicks ?? 0
    expect(startTicks).toBeGreaterThan(0)
    expect(isSameProcess({ pid, startTicks })).toBe(true)
    expect(isSameProcess({ pid, startTicks: startTicks + 1 })).toBe(false)
    expect(isSameProcess({ pid, startTicks: null })).toBe(true)
    await endProcessGroup(pid, { signal: 'SIGTERM', graceMs: 5_000 })
    await until(() => !isSameProcess({ pid, startTicks }), 'it is gone')
  })

  it('reads a process whose name has blanks and parentheses', async () => {
    const { pid } = await spawned('printf "a) S (b" >/proc/$$/comm; echo up; sleep 60')
    expect(readProcess(pid)).toMatchObject({ pid, command: 'a) S (b', processGroup: pid })
  })

  it('has nothing on a process that is not there', () => {
    expect(readProcess(2 ** 22 + 1)).toBeNull()
    expect(processState(2 ** 22 + 1)).toBe('gone')
    expect(isSameProcess({ pid: 2 ** 22 + 1, startTicks: null })).toBe(false)
  })

  it('finds ourselves among all', () => {
    expect(findProcesses((facts) => facts.pid === process.pid)).toHaveLength(1)
  })

  it('counts a zombie as gone', async () => {
    const pid = await zombie()
    expect(processState(pid)).toBe('gone')
    expect(isSameProcess({ pid, startTicks: readProcess(pid)?.startTicks ?? null })).toBe(false)
  })

  it.skipIf(!hasPython)('counts one that has lost its first thread alone as alive, until its last thread has ended', async () => {
    const pid = await headless()
    expect([processState(pid), isSameProcess({ pid, startTicks: readProcess(pid)?.startTicks ?? null }), groupIsAlive(pid)]).toEqual(['alive', true, true])
    expect(await endProcessGroup(pid, { signal: 'SIGTERM', graceMs: 0 })).toMatchObject({ isGone: true })
    expect([processState(pid), groupIsAlive(pid)]).toEqual(['gone', false])
  })
})

describe('a process group', () => {
  it('of a zombie alone does not live, and is not waited for', async () => {
    const pid = await zombie()
    expect(groupIsAlive(pid)).toBe(false)
    expect(await endProcessGroup(pid, { signal: 'SIGTERM', graceMs: 60_000 })).toEqual({ wasKilled: false, isGone: true })
  })

  it('lives as long as one of it does, its leader or not', async () => {
    const { pid, said } = await spawned('sleep 60 & echo $!')
    await until(() => !isAlive(pid), 'the leader has ended')
    expect(groupIsAlive(pid)).toBe(true)
    expect(await endProcessGroup(pid, { signal: 'SIGTERM', graceMs: 5_000 })).toEqual({ wasKilled: false, isGone: true })
    expect(isAlive(Number(said))).toBe(false)
    expect(groupIsAlive(pid)).toBe(false)
  })

  it('is ended by SIGKILL when it stays, a stopped one too', async () => {
    const { pid } = await spawned('echo up; exec sleep 60')
    process.kill(pid, 'SIGSTOP')
    await until(() => readProcess(pid)?.state === 'T', 'it is stopped')
    expect(await endProcessGroup(pid, { signal: 'SIGTERM', graceMs: 100 })).toEqual({ wasKilled: true, isGone: true })
  })

  it('that is gone already is no trouble', async () => {
    const { pid } = await spawned('echo up')
    await until(() => !groupIsAlive(pid), 'it is gone')
    expect(await endProcessGroup(pid, { signal: 'SIGTERM', graceMs: 60_000 })).toEqual({ wasKilled: false, isGone: true })
  })
})
