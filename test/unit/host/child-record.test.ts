import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { readProcess } from '@stackbk/tool-runner/processes'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { bootId } from '../../../src/host/boot.js'
import { ChildRecord, endLeftovers, runMark } from '../../../src/host/child-record.js'
import { compileWithPackages } from '../compiled-packages.js'
import { endWithTest, isAlive, kill, nodeProcess, until } from '../processes.js'

/** What a tool does: it says that it is up (so that its environment is its own) and stays. */
const stays = 'echo up; exec sleep 300'

describe('the record of the tools that a run has started', () => {
  let program = ''
  let folder = ''

  beforeAll(() => {
    program = compileWithPackages(mkdtempSync(join(tmpdir(), 'stackbk-children-')), ['errors.ts', 'host'])
  })
  afterAll(() => {
    rmSync(program, { recursive: true, force: true })
  })
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'stackbk-record-')), 'children')
  })
  afterEach(() => {
    rmSync(join(folder, '..'), { recursive: true, force: true })
  })

  /** A run with these tools at work: each a shell script, and whether its start reaches the record. */
  async function run(runId: string, tools: readonly { script: string; isRecorded?: boolean; stop?: object }[]) {
    const { child, said } = await nodeProcess(
      program,
      `
      import { createExec } from '@stackbk/tool-runner'
      import { ChildRecord, runMark } from './host/child-record.js'
      const record = new ChildRecord(${JSON.stringify(folder)}, ${JSON.stringify(runId)})
      const stop = { signal: 'SIGTERM', graceMs: 500 }
      const environment = { [runMark]: ${JSON.stringify(runId)} }
      const recorded = createExec({ environment, onStarting: (request) => record.starting(request.file), onStart: (tool, request) => record.started(tool, request.file, request.stop ?? stop), onEnd: (tool) => record.ended(tool) })
      const unrecorded = createExec({ environment })
      const pids = []
      await recorded.run({ file: 'true', args: [] })
      for (const { script, isRecorded, stop } of ${JSON.stringify(tools)}) {
        await new Promise((resolve) => {
          const tool = (isRecorded === false ? unrecorded : recorded).start({ file: 'sh', args: ['-c', script], ...(stop ? { stop } : {}), onStdoutLine: resolve })
          pids.push(tool.process.pid)
        })
      }
      console.log(JSON.stringify(pids))`,
    )
    const pids = JSON.parse(said) as number[]
    endWithTest(...pids)
    return { child, pids }
  }

  it('lets the next run end what outlived a killed one', async () => {
    const { child, pids } = await run('run-1', [{ script: stays }, { script: stays }])
    await kill(child)
    expect(pids.map(isAlive)).toEqual([true, true])
    const { deadRuns, ended } = await endLeftovers(folder)
    expect(pids.map(isAlive)).toEqual([false, false])
    expect(deadRuns).toEqual(['run-1'])
    expect(ended).toEqual(pids.map((pid) => ({ runId: 'run-1', pid, file: 'sh' })))
  })

  it('is heard of by each later run, until what the dead one left elsewhere is cleared up too', async () => {
    const { child } = await run('run-1', [{ script: stays }])
    await kill(child)
    await endLeftovers(folder)
    const live = await run('run-2', [{ script: stays }])
    const { deadRuns, ended, forget } = await endLeftovers(folder)
    expect({ deadRuns, ended }).toEqual({ deadRuns: ['run-1'], ended: [] })
    forget()
    expect(readdirSync(folder)).toEqual(['run-2.jsonl'])
    expect(await endLeftovers(folder)).toMatchObject({ deadRuns: [], ended: [] })
    expect(live.pids.map(isAlive)).toEqual([true])
  })

  it('also one that was started in the instant of the death, and one that left the group: they carry the mark', async () => {
    const pidFile = join(folder, '..', 'daemon')
    const daemon = `setsid sh -c 'echo $$ >"${pidFile}"; exec sleep 300' & until [ -s "${pidFile}" ]; do sleep 0.01; done; ${stays}`
    const { child, pids } = await run('run-1', [{ script: stays, isRecorded: false }, { script: daemon }])
    endWithTest(Number(readFileSync(pidFile, 'utf8')))
    await kill(child)
    const { ended } = await endLeftovers(folder)
    expect([...pids, Number(readFileSync(pidFile, 'utf8'))].map(isAlive)).toEqual([false, false, false])
    expect(ended.map(({ pid }) => pid)).toContain(pids[0])
  })

  it('knows when a tool was started whose process the run did not live to write down', async () => {
    const { child } = await run('run-1', [{ script: stays }])
    await kill(child)
    expect(await endLeftovers(folder)).toMatchObject({ deadRuns: ['run-1'], interruptedStarts: [] })
    const note = (line: object): void => appendFileSync(join(folder, 'run-1.jsonl'), `${JSON.stringify(line)}\n`)
    note({ is: 'starting', file: 'restic', at: '2026-11-29T22:25:39.000Z' })
    expect((await endLeftovers(folder)).interruptedStarts).toEqual([Date.parse('2026-11-29T22:25:39.000Z')])
    note({ is: 'started', process: { pid: 2 ** 22, startTicks: 1 }, file: 'restic', manner: { signal: 'SIGINT', graceMs: 1 } })
    expect((await endLeftovers(folder)).interruptedStarts).toEqual([])
  })

  it('has each tool ended in its own manner, and killed if it does not end', async () => {
    const note = join(folder, '..', 'note')
    const gentle = { script: `trap 'echo INT >>"${note}"; exit 0' INT; trap 'echo TERM >>"${note}"' TERM; echo up; while :; do sleep 0.02; done`, stop: { signal: 'SIGINT', graceMs: 10_000 } }
    const stubborn = { script: 'trap "" TERM; echo up; while :; do sleep 0.02; done', stop: { signal: 'SIGTERM', graceMs: 100 } }
    const { child, pids } = await run('run-1', [gentle, stubborn])
    await kill(child)
    await endLeftovers(folder)
    expect(pids.map(isAlive)).toEqual([false, false])
    expect(readFileSync(note, 'utf8')).toBe('INT\n')
  })

  it('leaves the tools of a run that lives alone', async () => {
    const { child, pids } = await run('run-1', [{ script: stays }, { script: stays, isRecorded: false }])
    const leftovers = await endLeftovers(folder)
    expect(leftovers).toMatchObject({ deadRuns: [], ended: [] })
    leftovers.forget()
    expect(pids.map(isAlive)).toEqual([true, true])
    expect(readdirSync(folder)).toEqual(['run-1.jsonl'])
    await kill(child)
    await endLeftovers(folder)
    expect(pids.map(isAlive)).toEqual([false, false])
  })

  it('ends nothing of another run, dead or alive', async () => {
    const dead = await run('run-1', [{ script: stays }])
    const live = await run('run-2', [{ script: stays }])
    await kill(dead.child)
    const { deadRuns } = await endLeftovers(folder)
    expect(deadRuns).toEqual(['run-1'])
    expect([...dead.pids, ...live.pids].map(isAlive)).toEqual([false, true])
  })

  it('says nothing of processes when the machine was started anew since: PIDs belong to others now', async () => {
    const { child, pids } = await run('run-1', [{ script: stays }])
    await kill(child)
    const path = join(folder, 'run-1.jsonl')
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(bootId(), 'another-boot'))
    const { deadRuns, ended } = await endLeftovers(folder)
    expect(pids.map(isAlive)).toEqual([true])
    expect(deadRuns).toEqual(['run-1'])
    expect(ended).toEqual([])
  })

  it('takes no process for a tool that only has its PID', async () => {
    const { child, pids } = await run('run-1', [{ script: stays }])
    const begun = readProcess(pids[0] ?? 0)?.startTicks ?? 0
    await kill(child)
    // The kernel counts in hundredths of a second: no PID is given anew within one, but two processes may begin in it.
    await until(() => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 100 > begun + 2, 'the next of them has come')
    const stranger = spawn('sh', ['-c', 'exec sleep 300'], { detached: true, stdio: 'ignore' })
    endWithTest(stranger.pid ?? 0)
    const path = join(folder, 'run-1.jsonl')
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(new RegExp(`"pid":${String(pids[0])}\\b`, 'g'), `"pid":${String(stranger.pid)}`))
    await endLeftovers(folder)
    expect(isAlive(stranger.pid ?? 0)).toBe(true)
    expect(pids.map(isAlive)).toEqual([false])
  })

  it('that was cut short is read as far as it goes', async () => {
    const { child, pids } = await run('run-1', [{ script: stays }, { script: stays }])
    await kill(child)
    const path = join(folder, 'run-1.jsonl')
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, -20))
    await endLeftovers(folder)
    expect(pids.map(isAlive)).toEqual([false, false])
  })

  it('of which the disk took nothing still leads to the tools, by its name and their mark', async () => {
    const { child, pids } = await run('run-1', [{ script: stays }])
    await kill(child)
    writeFileSync(join(folder, 'run-1.jsonl'), '')
    expect((await endLeftovers(folder)).deadRuns).toEqual(['run-1'])
    expect(pids.map(isAlive)).toEqual([false])
  })

  it('never makes us end ourselves, whoever of our own group carries a mark', async () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'run-1.jsonl'), '')
    const sibling = spawn('sh', ['-c', stays], { env: { ...process.env, [runMark]: 'run-1' }, stdio: 'ignore' })
    endWithTest(sibling.pid ?? 0)
    await until(() => readFileSync(`/proc/${String(sibling.pid)}/environ`, 'utf8').includes(runMark), 'it carries the mark')
    expect((await endLeftovers(folder)).ended).toEqual([])
    expect(isAlive(sibling.pid ?? 0)).toBe(true)
  })

  it('is for its owner alone, is made by the first tool, and goes with the end of the run', () => {
    const record = new ChildRecord(folder, 'run-1')
    expect(existsSync(folder)).toBe(false)
    record.started({ pid: 1, startTicks: 1 }, 'restic', { signal: 'SIGINT', graceMs: 1 })
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'run-1.jsonl')).mode & 0o777).toBe(0o600)
    record.close()
    // A question whose answer nobody waited for.
    record.ended({ pid: 1, startTicks: 1 })
    expect(readdirSync(folder)).toEqual([])
    new ChildRecord(folder, 'run-2').close()
  })

  it('never fails a run: a full disk, or a state folder that cannot be made, must not keep a stack down', () => {
    mkdirSync(folder)
    symlinkSync('/dev/full', join(folder, 'run-1.jsonl'))
    const use = (record: ChildRecord): void => {
      record.started({ pid: 1, startTicks: 1 }, 'restic', { signal: 'SIGINT', graceMs: 1 })
      record.ended({ pid: 1, startTicks: 1 })
    }
    expect(() => use(new ChildRecord(folder, 'run-1'))).not.toThrow()
    writeFileSync(join(folder, 'file'), '')
    expect(() => use(new ChildRecord(join(folder, 'file', 'children'), 'run-1'))).not.toThrow()
  })

  it('is nothing where there is no folder', async () => {
    expect(await endLeftovers(join(folder, 'nowhere'))).toMatchObject({ deadRuns: [], ended: [] })
  })
})
