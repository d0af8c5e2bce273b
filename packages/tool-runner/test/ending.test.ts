import { describe, expect, it } from 'vitest'

import { createExec } from '../src/exec.js'
import { findProcesses, readProcess } from '../src/process-table.js'
import { at, isAlive, script, textOf, until, world } from './fixtures.js'

const exec = createExec()

/** Ignores TERM and INT, as do two generations below it, and tells its PIDs. */
const stubborn = `trap "" TERM INT
sh -c 'trap "" TERM INT; sh -c "trap \\"\\" TERM INT; echo \\$\\$; while :; do sleep 0.2; done" & echo $$; while :; do sleep 0.2; done' &
echo $$
while :; do sleep 0.2; done`

const groupOf = (group: number): number[] => findProcesses((facts) => facts.processGroup === group && facts.state !== 'Z').map(({ pid }) => pid)

describe('a tool at work', () => {
  it('has a process group of its own, so that a Ctrl-C in the terminal does not reach it', async () => {
    const tool = exec.start(script('echo up; sleep 60'))
    const pid = tool.process?.pid ?? 0
    expect(readProcess(pid)).toMatchObject({ processGroup: pid, startTicks: tool.process?.startTicks })
    expect(readProcess(process.pid)?.processGroup).not.toBe(pid)
    await tool.stop()
  })
})

describe('a tool that is ended by us', () => {
  it('at its time limit gets TERM and says so', async () => {
    const tool = exec.start({ ...script('sleep 60'), timeoutMs: 50 })
    expect(await tool.result).toMatchObject({ outcome: 'timed-out', exitCode: null, endedBySignal: 'SIGTERM', wasKilled: false })
    expect(groupOf(tool.process?.pid ?? 0)).toEqual([])
  })

  it('is not ended at once by a limit that is longer than a timer can be', async () => {
    const days = 86_400_000
    expect(await exec.run({ ...script('sleep 0.1'), timeoutMs: 60 * days, stallTimeoutMs: 30 * days })).toMatchObject({ outcome: 'exited', exitCode: 0 })
  })

  it('is killed after its grace, and so are its children and theirs that ignore TERM', async () => {
    const pids: number[] = []
    const controller = new AbortController()
    const tool = exec.start({ ...script(stubborn), signal: controller.signal, stop: { signal: 'SIGTERM', graceMs: 300 }, onStdoutLine: (line) => pids.push(Number(line)) })
    await until(() => pids.length === 3, 'all three have said who they are')
    world.strays.push(...pids)
    expect(pids.every(isAlive)).toBe(true)
    controller.abort()
    const result = await tool.result
    expect(result).toMatchObject({ outcome: 'cancelled', endedBySignal: 'SIGKILL', wasKilled: true })
    expect(result.durationMs).toBeGreaterThanOrEqual(300)
    expect(pids.filter(isAlive)).toEqual([])
    expect(groupOf(tool.process?.pid ?? 0)).toEqual([])
  })

  it('is waited for as long as it cleans up within its grace, and its last words count', async () => {
    const lines: string[] = []
    const tool = exec.start({
      ...script('trap "echo cleaning; sleep 0.2; echo clean; exit 130" INT; echo up; while :; do sleep 0.02; done'),
      stop: { signal: 'SIGINT', graceMs: 10_000 },
      onStdoutLine: (line) => lines.push(line),
    })
    await until(() => lines.includes('up'), 'it is up')
    expect(await tool.stop()).toMatchObject({ outcome: 'cancelled', exitCode: 130, wasKilled: false, stdout: 'up\ncleaning\nclean' })
  })

  it('gets one INT and no second one, however often it is asked for: restic ends at the second without removing its lock', async () => {
    const lines: string[] = []
    const controller = new AbortController()
    const tool = exec.start({
      ...script('trap "echo INT" INT; trap "echo TERM" TERM; echo up; while :; do sleep 0.02; done'),
      signal: controller.signal,
      stop: { signal: 'SIGINT', graceMs: 500 },
      onStdoutLine: (line) => lines.push(line),
    })
    await until(() => lines.includes('up'), 'it is up')
    controller.abort()
    const [one, two] = await Promise.all([tool.stop(), tool.stop()])
    expect(one).toBe(two)
    expect(one).toMatchObject({ outcome: 'cancelled', wasKilled: true })
    expect(lines).toEqual(['up', 'INT'])
  })

  it('is ended when it is silent for too long, and not while it speaks in either stream', async () => {
    const speaking = 'for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $n; sleep 0.1; echo $n >&2; sleep 0.1; done'
    const spoken = await exec.run({ ...script(speaking), stallTimeoutMs: 1500 })
    expect(spoken).toMatchObject({ outcome: 'exited', exitCode: 0 })
    expect(spoken.durationMs).toBeGreaterThan(1500)
    const silent = await exec.run({ ...script('echo begun; sleep 60'), stallTimeoutMs: 400 })
    expect(silent).toMatchObject({ outcome: 'stalled', stdout: 'begun', exitCode: null })
    const never = await exec.run({ ...script('sleep 60'), stallTimeoutMs: 100 })
    expect(never.outcome).toBe('stalled')
  })

  it('says what ended it first', async () => {
    const tool = exec.start({ ...script('trap "" TERM; sleep 60'), timeoutMs: 100, stop: { signal: 'SIGTERM', graceMs: 400 } })
    const result = await tool.result
    expect(await tool.stop()).toBe(result)
    expect(result.outcome).toBe('timed-out')
  })

  it('leaves no listener on the signal it was given', async () => {
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    })
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    })
    await exec.run({ ...script('true'), signal })
    expect(listeners).toBe(0)
  })

  it('is not ended any more when it has ended by itself', async () => {
    const tool = exec.start(script('exit 5'))
    const result = await tool.result
    expect(await tool.stop()).toBe(result)
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 5 })
  })
})

describe('a tool that leaves something behind', () => {
  it('in its group: that is ended with it, and does not keep us waiting', async () => {
    const result = await exec.run(script('sleep 60 & echo $!; exit 6'))
    const pid = Number(result.stdout)
    world.strays.push(pid)
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 6 })
    expect(pid).toBeGreaterThan(1)
    expect(isAlive(pid)).toBe(false)
    expect(result.durationMs).toBeLessThan(9_000)
  })

  it('in its group, ignoring TERM: that is killed, and the exit code is still its own', async () => {
    const result = await exec.run(script(`sh -c 'trap "" TERM; echo $$ >"$1"; while :; do sleep 0.2; done' child "$1" & until [ -s "$1" ]; do sleep 0.01; done`, at('pid')))
    const pid = Number(textOf(at('pid')))
    world.strays.push(pid)
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 0, wasKilled: true })
    expect(isAlive(pid)).toBe(false)
  }, 30_000)

  it('outside its group, with its output open: that lives on, and we do not wait for it for long', async () => {
    const begun = performance.now()
    // Its own time limit passes while we wait for the pipe; the tool itself kept it.
    const result = await exec.run({
      ...script(`setsid sh -c 'echo $$ >"$1"; exec sleep 120' daemon "$1" & until [ -s "$1" ]; do sleep 0.01; done; echo done`, at('pid')),
      timeoutMs: 6_000,
      stallTimeoutMs: 5_000,
    })
    const daemon = Number(textOf(at('pid')))
    world.strays.push(daemon)
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 0, stdout: 'done', wasKilled: false })
    expect(performance.now() - begun).toBeLessThan(20_000)
    expect(isAlive(daemon)).toBe(true)
  }, 40_000)

  it('outside its group, with no output open: that does not keep us waiting at all', async () => {
    const result = await exec.run(script(`setsid sh -c 'echo $$ >"$1"; exec sleep 120 >/dev/null 2>&1' daemon "$1" & until [ -s "$1" ]; do sleep 0.01; done`, at('pid')))
    const daemon = Number(textOf(at('pid')))
    world.strays.push(daemon)
    expect(result).toMatchObject({ outcome: 'exited', exitCode: 0 })
    expect(result.durationMs).toBeLessThan(9_000)
    expect(isAlive(daemon)).toBe(true)
  })
})
