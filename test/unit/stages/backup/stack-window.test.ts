import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Answer, ContainerMount, FrozenCopy, PreparedSnapshot, ReadingTime, Runtime, SnapshotResult, StopEvidence, UpReport, Watch, WatchReport } from '@stackbk/contract'
import { beforeEach, describe, expect, it } from 'vitest'

import { stackKey } from '../../../../src/stacks/identity.js'
import { Journal, type JournalEntry } from '../../../../src/stacks/journal.js'
import { findLostSources, sourcesThatMoved } from '../../../../src/stages/backup/lost-sources.js'
import type { StackPlan } from '../../../../src/stages/backup/stack-plan.js'
import { snapshotInWindow, startAndConfirm, type WindowContext, type WindowResult } from '../../../../src/stages/backup/stack-window.js'
import { canMakeHangingMounts, makeHangingMount } from '../../../fixtures/hanging-mount.js'
import { compileWithPackages } from '../../compiled-packages.js'
import { nodeProcess } from '../../processes.js'
import { at, container, failure, ok, partly, source, stackAt, stateOf, write } from '../fixtures.js'

const snapshot: SnapshotResult = { id: 'a'.repeat(64), isComplete: true, unreadable: [], bytesAdded: 1, bytesProcessed: 2, filesNew: 1, filesChanged: 0, filesUnmodified: 0 }
const stopped: StopEvidence = { ended: [], stillRunning: [] }
const isUp: UpReport = { isUp: true, missing: [], completed: [] }
const isDown: UpReport = { isUp: false, missing: [{ service: 'app', reason: 'it ended' }], completed: [] }

/** The engine and the runtime of one window, each step of which a test may break. */
interface Steps {
  stop: (signal?: AbortSignal) => Promise<Answer<StopEvidence>>
  take: (signal?: AbortSignal) => Promise<Answer<SnapshotResult>>
  start: () => Promise<Answer<void>>
  waitUntilUp: () => Promise<Answer<UpReport>>
  ready: () => Promise<Answer<void>>
  freeze: (signal?: AbortSignal) => Promise<Answer<FrozenCopy>>
  abandon: () => Promise<void>
  onPhase: (phase: string) => void
  onStopped: () => void
  onStarting: () => void
  log: (message: string) => void
  watch: Watch | null
  journal: Journal
  maxDowntimeMs: number
  ranDuring: Runtime['ranDuring']
}

describe('the window in which a stack is down', () => {
  /** What happened, in order. */
  let happened: string[] = []
  let controller = new AbortController()

  beforeEach(() => {
    happened = []
    controller = new AbortController()
    mkdirSync(at('stacks/web'), { recursive: true })
  })

  function planOf(more: Partial<StackPlan> = {}): StackPlan {
    const directory = at('stacks/web')
    return {
      stack: stackAt(),
      state: stateOf([container('app'), container('db', { id: 'db-id' })]),
      mode: 'stop',
      modeReason: null,
      whyNotDown: ['an anonymous volume'],
      willStop: true,
      isLiveUnasked: false,
      sources: [source(directory, { device: statSync(directory).dev })],
      othersSeenAt: 0,
      paths: [directory],
      excludePaths: [],
      excludes: [],
      unansweredPaths: [],
      capsule: null,
      problems: [],
      isIncomplete: false,
      ...more,
    }
  }

  const journalHolds = (): readonly JournalEntry[] => new Journal(at('journal')).entries()

  async function windowOf(steps: Partial<Steps> = {}, plan = planOf()): Promise<WindowResult> {
    const noted = <T>(name: string, step: ((signal?: AbortSignal) => Promise<T>) | undefined, otherwise: T, signal?: AbortSignal): Promise<T> => {
      happened.push(name)
      return step === undefined ? Promise.resolve(otherwise) : step(signal)
    }
    const runtime = partly<Runtime>('runtime', {
      stop: (_state, request) => noted('stop', steps.stop, ok(stopped), request.signal),
      start: () => noted('start', steps.start, ok(undefined)),
      waitUntilUp: () => noted('waitUntilUp', steps.waitUntilUp, ok(isUp)),
      ...(steps.ready === undefined ? {} : { ready: steps.ready }),
      ...({ ranDuring: steps.ranDuring } as Partial<Runtime>),
    })
    const prepared: PreparedSnapshot = {
      ready: Promise.resolve(ok(undefined)),
      take: (options) => noted('take', steps.take, ok(snapshot), options?.signal),
      abandon: () => noted('abandon', steps.abandon, undefined),
    }
    const context: WindowContext = {
      runtime,
      journal: steps.journal ?? new Journal(at('journal')),
      runId: 'run-1',
      graceSeconds: 10,
      healthTimeoutMs: 1000,
      signal: controller.signal,
      maxDowntimeMs: steps.maxDowntimeMs ?? null,
      log: (_level, message) => steps.log?.(message),
      onPhase: (phase) => steps.onPhase?.(phase),
      freeze: steps.freeze === undefined ? null : (signal) => noted('freeze', steps.freeze, ok({ id: 'copy', bindMounts: [] }), signal),
      onStopped: () => steps.onStopped?.(),
      onStarting: () => {
        happened.push('onStarting')
        steps.onStarting?.()
      },
    }
    return snapshotInWindow(plan, prepared, steps.watch ?? null, context)
  }

  it('goes through journal, stop, snapshot, start and confirmation, in this order and nothing else', async () => {
    const entryAt: Record<string, boolean> = {}
    const look = (name: string) => (): void => {
      entryAt[name] = journalHolds().length === 1
    }
    const result = await windowOf({
      stop: async () => (look('stop')(), ok(stopped)),
      take: async () => (look('take')(), ok(snapshot)),
      start: async () => (look('start')(), ok(undefined)),
      waitUntilUp: async () => (look('waitUntilUp')(), ok(isUp)),
    })
    expect(happened).toEqual(['stop', 'take', 'start', 'onStarting', 'waitUntilUp'])
    expect(entryAt).toEqual({ stop: true, take: true, start: true, waitUntilUp: true })
    expect(journalHolds()).toEqual([])
    expect(result).toMatchObject({ stop: ok([]), snapshot: ok(snapshot), start: { ok: true }, up: ok(isUp), lost: { moved: [], gone: [] } })
  })

  it('has in the journal all that a start will need', async () => {
    let entry: JournalEntry | undefined
    const plan = planOf()
    await windowOf({ stop: async () => ((entry = journalHolds()[0]), ok(stopped)) }, plan)
    expect(entry).toMatchObject({
      schemaVersion: 1,
      runId: 'run-1',
      key: stackKey(plan.stack),
      name: 'web',
      directory: at('stacks/web'),
      mode: 'stop',
      healthTimeoutMs: 1000,
      whyNotDown: ['an anonymous volume'],
      devices: [{ path: at('stacks/web'), device: statSync(at('stacks/web')).dev }],
      graceSeconds: 10,
    })
    expect(entry?.state).toEqual(plan.state)
    expect(entry?.bootId).not.toBe('')
  })

  describe('is not entered, and nothing is touched, when what runs cannot be noted first:', () => {
    it('the disk is full', async () => {
      mkdirSync(at('journal'))
      symlinkSync('/dev/full', at(`journal/${stackKey(stackAt())}.json.new`))
      await expect(windowOf()).rejects.toThrow(/ENOSPC/)
      expect(happened).toEqual([])
      expect(readdirSync(at('journal'))).toEqual([])
    })

    it('the state folder cannot be made', async () => {
      write('file')
      await expect(windowOf({ journal: new Journal(at('file/journal')) })).rejects.toThrow(/ENOTDIR/)
      expect(happened).toEqual([])
    })
  })

  const boom = (): never => {
    throw new Error('boom')
  }
  const throwing = () => Promise.reject(new Error('boom'))
  /** Each with: is the snapshot good, is the stack confirmed up. */
  const faults: [string, Partial<Steps>, boolean, boolean][] = [
    ['the stop fails', { stop: async () => failure() }, true, true],
    ['the stop throws', { stop: throwing }, false, true],
    ['the stop throws at once', { stop: boom }, false, true],
    ['a container still runs after the stop', { stop: async () => ok({ ended: [], stillRunning: ['app'] }) }, true, true],
    ['the snapshot fails', { take: async () => failure() }, false, true],
    ['the snapshot throws', { take: throwing }, false, true],
    ['what is written after the stop throws', { onStopped: boom }, false, true],
    ['the display throws', { onPhase: boom }, true, true],
    ['the display throws at the start', { onPhase: (phase) => (phase === 'starting' ? boom() : undefined) }, true, true],
    ['the display throws while waiting', { onPhase: (phase) => (phase === 'waiting' ? boom() : undefined) }, true, true],
    ['the log throws', { log: boom }, true, true],
    ['the log throws at the start', { log: (message) => (message === 'starting' ? boom() : undefined) }, true, true],
    ['the log throws at the confirmation', { log: (message) => (message === 'confirmed up' ? boom() : undefined) }, true, true],
    ['preparing the next stack throws', { onStarting: boom }, true, true],
    ['the start fails', { start: async () => failure() }, true, true],
    ['the start fails, and the stack is not up', { start: async () => failure(), waitUntilUp: async () => ok(isDown) }, true, false],
    ['the start throws at once', { start: boom }, true, true],
    ['the start throws', { start: throwing, waitUntilUp: async () => ok(isDown) }, true, false],
    ['the stack does not come up', { waitUntilUp: async () => ok(isDown) }, true, false],
    ['whether it is up cannot be found out', { waitUntilUp: async () => failure('tool-not-answering') }, true, false],
    ['looking whether it is up throws', { waitUntilUp: throwing }, true, false],
    ['everything fails', { stop: async () => failure(), take: async () => failure(), start: async () => failure(), waitUntilUp: async () => failure() }, false, false],
    ['everything throws', { stop: throwing, take: throwing, start: throwing, waitUntilUp: throwing, onPhase: boom, log: boom, onStarting: boom, onStopped: boom }, false, false],
  ]

  it.each(faults)('reaches the start all the same when %s, and forgets the stack only when it is confirmed up', async (_, steps, isGood, isConfirmed) => {
    const result = await windowOf(steps)
    expect(happened).toContain('stop')
    // What could not be started is tried once more.
    const isRetried = steps.start !== undefined && !isConfirmed
    expect(happened.filter((step) => step === 'start')).toEqual(isRetried ? ['start', 'start'] : ['start'])
    expect(happened.indexOf('start')).toBeGreaterThan(Math.max(happened.indexOf('stop'), happened.indexOf('take')))
    expect(happened.at(-1)).toBe('waitUntilUp')
    expect(result.snapshot?.ok ?? false).toBe(isGood)
    expect(result.up.ok && result.up.value.isUp).toBe(isConfirmed)
    expect(journalHolds().map((entry) => entry.name)).toEqual(isConfirmed ? [] : ['web'])
  })

  it('gives up the waiting snapshot engine when the window was left before the snapshot', async () => {
    await windowOf({ stop: throwing })
    expect(happened).toEqual(['stop', 'abandon', 'start', 'onStarting', 'waitUntilUp'])
  })

  it('reports the failure of a stop, and the stop that was never reached', async () => {
    expect((await windowOf({ stop: async () => failure('timed-out') })).stop).toMatchObject({ ok: false, failure: { kind: 'timed-out' } })
    expect((await windowOf({ stop: throwing })).stop).toMatchObject({ ok: false })
  })

  it('has its result even where the entry of a stack that is up cannot be removed', async () => {
    const journal = new Journal(at('journal'))
    journal.remove = boom
    const result = await windowOf({ journal })
    expect(result).toMatchObject({ snapshot: ok(snapshot), up: ok(isUp) })
    expect(journalHolds()).toHaveLength(1)
  })

  const moments = ['stop', 'take', 'start', 'waitUntilUp'] as const
  it.each(moments)('a signal during %s starts the stack, and starts it to the end', async (moment) => {
    const abort = (): void => controller.abort(new Error('interrupted by SIGINT'))
    const steps: Partial<Steps> = {
      stop: async () => {
        if (moment === 'stop') abort()
        return moment === 'stop' ? failure('cancelled') : ok(stopped)
      },
      take: async () => {
        if (moment === 'take') abort()
        return moment === 'take' ? failure('cancelled') : ok(snapshot)
      },
      start: async () => {
        if (moment === 'start') abort()
        return ok(undefined)
      },
      waitUntilUp: async () => {
        if (moment === 'waitUntilUp') abort()
        return ok(isUp)
      },
    }
    const result = await windowOf(steps)
    expect(happened.includes('take')).toBe(moment !== 'stop')
    expect(happened.includes('abandon')).toBe(moment === 'stop')
    expect(happened.slice(-3)).toEqual(['start', 'onStarting', 'waitUntilUp'])
    expect(result.up).toEqual(ok(isUp))
    if (moment === 'stop') expect(result.snapshot).toBeNull()
    expect(journalHolds()).toEqual([])
  })

  it('says that the reading is over before the start can have started a container', async () => {
    await windowOf({
      start: async () => {
        await Promise.resolve()
        happened.push('a container runs')
        return ok(undefined)
      },
    })
    expect(happened.slice(-4)).toEqual(['start', 'onStarting', 'a container runs', 'waitUntilUp'])
  })

  it('gives neither the start nor the confirmation a signal that could cut them short', async () => {
    const requests: unknown[] = []
    const entry = await entryOfWindow()
    await startAndConfirm(entry, new Date(0), {
      runtime: partly<Runtime>('runtime', {
        start: (_state, request) => (requests.push(request), Promise.resolve(ok(undefined))),
        waitUntilUp: (_state, request) => (requests.push(request), Promise.resolve(ok(isUp))),
      }),
      journal: new Journal(at('journal')),
      log: () => {},
      onPhase: () => {},
      onStarting: () => {},
    })
    expect(requests).toEqual([
      { mode: 'stop', healthTimeoutMs: 1000 },
      { since: new Date(0), timeoutMs: 1000 },
    ])
  })

  async function entryOfWindow(plan = planOf()): Promise<JournalEntry> {
    await windowOf({ waitUntilUp: async () => ok(isDown) }, plan)
    const [entry] = journalHolds()
    if (entry === undefined) throw new Error('no entry')
    return entry
  }

  describe('with a frozen copy', () => {
    const copy: FrozenCopy = { id: 'copy', bindMounts: [] }

    it('starts the stack as soon as it is made, and takes no snapshot meanwhile', async () => {
      const result = await windowOf({ freeze: async () => ok(copy) })
      expect(happened).toEqual(['stop', 'freeze', 'start', 'onStarting', 'waitUntilUp'])
      expect(result).toMatchObject({ frozen: ok(copy), snapshot: null, late: null, isOverBudget: false, up: ok(isUp) })
    })

    it.each([
      ['fails', async () => failure()],
      ['throws', throwing],
      ['throws at once', boom],
    ] as const)('that %s takes the snapshot in the window', async (_, freeze) => {
      const result = await windowOf({ freeze })
      expect(happened).toEqual(['stop', 'freeze', 'take', 'start', 'onStarting', 'waitUntilUp'])
      expect(result).toMatchObject({ frozen: { ok: false }, snapshot: ok(snapshot) })
    })

    it('that a signal meets takes no snapshot, and starts the stack', async () => {
      const result = await windowOf({ freeze: async () => (controller.abort(), failure('cancelled')) })
      expect(happened).toEqual(['stop', 'freeze', 'abandon', 'start', 'onStarting', 'waitUntilUp'])
      expect(result).toMatchObject({ frozen: { ok: false }, snapshot: null, up: ok(isUp) })
    })

    it('that was made at the very moment of a signal is there all the same, to be released', async () => {
      expect(await windowOf({ freeze: async () => (controller.abort(), ok(copy)) })).toMatchObject({ frozen: ok(copy), snapshot: null, up: ok(isUp) })
    })

    it('that hangs is given up with the limit to the downtime', async () => {
      const result = await windowOf({ freeze: () => new Promise(() => {}), maxDowntimeMs: 30 })
      expect(happened).toEqual(['stop', 'freeze', 'abandon', 'start', 'onStarting', 'waitUntilUp'])
      expect(result).toMatchObject({ frozen: { ok: false, failure: { kind: 'timed-out' } }, isOverBudget: true, up: ok(isUp) })
    })
  })

  describe('with a limit to the downtime', () => {
    /** A step that goes on until it is told to end. */
    const untilTold = (signal?: AbortSignal): Promise<{ ok: false; failure: { kind: 'cancelled'; message: string } }> =>
      new Promise((resolve) => signal?.addEventListener('abort', () => resolve({ ok: false, failure: { kind: 'cancelled', message: 'ended' } })))

    it('gives the snapshot up at the limit, and starts the stack', async () => {
      const result = await windowOf({ take: untilTold, maxDowntimeMs: 30 })
      expect(result).toMatchObject({ isOverBudget: true, snapshot: { ok: false }, up: ok(isUp) })
      expect(happened).toEqual(['stop', 'take', 'start', 'onStarting', 'waitUntilUp'])
      expect(journalHolds()).toEqual([])
    })

    it('takes no snapshot when the stop alone took that long', async () => {
      const result = await windowOf({ stop: async (signal) => (await untilTold(signal), ok(stopped)), maxDowntimeMs: 30 })
      expect(result).toMatchObject({ isOverBudget: true, snapshot: null, up: ok(isUp) })
      expect(happened).toEqual(['stop', 'abandon', 'start', 'onStarting', 'waitUntilUp'])
    })

    it('takes a limit that no timer can wait for as none', async () => {
      const result = await windowOf({ maxDowntimeMs: 365 * 86_400_000 })
      expect(result).toMatchObject({ isOverBudget: false, snapshot: ok(snapshot), up: ok(isUp) })
    })

    it('counts a snapshot that was whole all the same', async () => {
      expect(await windowOf({ take: async (signal) => (await untilTold(signal), ok(snapshot)), maxDowntimeMs: 30 })).toMatchObject({ isOverBudget: false, snapshot: ok(snapshot) })
    })

    it('does not wait for a snapshot that cannot be ended, and hands on what becomes of it', async () => {
      let end = (_: Answer<SnapshotResult>): void => {}
      const stuck = new Promise<Answer<SnapshotResult>>((resolve) => (end = resolve))
      const result = await windowOf({ take: () => stuck, maxDowntimeMs: 30 })
      expect(happened).toEqual(['stop', 'take', 'start', 'onStarting', 'waitUntilUp'])
      expect(result).toMatchObject({ isOverBudget: true, snapshot: { ok: false, failure: { kind: 'timed-out' } }, up: ok(isUp) })
      end(ok(snapshot))
      expect(await result.late).toEqual(ok(snapshot))
    })

    it('waits as little for a repository that hangs where the stop alone has taken all of the time', async () => {
      const result = await windowOf({ stop: async (signal) => (await untilTold(signal), ok(stopped)), abandon: () => new Promise(() => {}), maxDowntimeMs: 30 })
      expect(happened).toEqual(['stop', 'abandon', 'start', 'onStarting', 'waitUntilUp'])
      expect(result).toMatchObject({ isOverBudget: true, snapshot: null, up: ok(isUp) })
    })

    it('reaches the start also where nothing but the limit keeps the process from ending', async () => {
      compileWithPackages(at('compiled'), ['errors.ts', 'host', 'stacks', ...['stack-window', 'lost-sources'].map((name) => `stages/backup/${name}.ts`)])
      const { said } = await nodeProcess(
        at('compiled'),
        `import { Journal } from './stacks/journal.js'
        import { snapshotInWindow } from './stages/backup/stack-window.js'
        const ok = (value) => ({ ok: true, value })
        const state = { schemaVersion: 1, directory: process.cwd(), condition: 'running', projects: [], dependents: [] }
        const plan = { stack: { name: 'web', directory: process.cwd() }, state, mode: 'stop', sources: [], paths: [], othersSeenAt: 0, whyNotDown: [] }
        const runtime = { stop: async () => ok({ ended: [], stillRunning: [] }), start: async () => (console.log('started'), ok()), waitUntilUp: async () => ok({ isUp: true, missing: [], completed: [] }) }
        const prepared = { take: () => new Promise(() => {}), abandon: async () => {} }
        const nothing = () => {}
        await snapshotInWindow(plan, prepared, null, { runtime, journal: new Journal('journal'), runId: '1', graceSeconds: 1, healthTimeoutMs: 1000, signal: new AbortController().signal, maxDowntimeMs: 30, log: nothing, onPhase: nothing, freeze: null, onStopped: nothing, onStarting: nothing })`,
      )
      expect(said).toBe('started')
    }, 60_000)

    it('blames the limit for nothing else: not for a signal, nor for a failure before it', async () => {
      expect(await windowOf({ take: async () => failure(), maxDowntimeMs: 60_000 })).toMatchObject({ isOverBudget: false })
      const interrupted = await windowOf({ take: async (signal) => (controller.abort(), signal?.aborted === true ? failure('cancelled') : ok(snapshot)), maxDowntimeMs: 60_000 })
      expect(interrupted).toMatchObject({ isOverBudget: false, snapshot: { ok: false }, up: ok(isUp) })
    })
  })

  it('keeps a stack down whose source is on another device than before the stop: an unmounted disk', async () => {
    const directory = at('stacks/web')
    const plan = planOf({ sources: [source(directory, { device: statSync(directory).dev }), source(at('elsewhere'), { device: 424_242 })] })
    const result = await windowOf({}, plan)
    expect(result.lost.moved).toEqual([at('elsewhere')])
    expect(happened).toEqual(['stop', 'take'])
    expect(result.start.ok).toBe(false)
    expect(journalHolds().map((entry) => entry.name)).toEqual(['web'])
  })

  it('after a restart of the machine, which numbers disks anew, knows a disk by its mount point', async () => {
    const directory = at('stacks/web')
    const entry = await entryOfWindow(planOf({ sources: [source(directory, { device: statSync(directory).dev })] }))
    const renumbered = { ...entry, bootId: 'before', devices: entry.devices.map((place) => ({ ...place, device: 424_242 })) }
    expect(await sourcesThatMoved(renumbered)).toEqual([])
    expect(await sourcesThatMoved({ ...renumbered, bootId: entry.bootId })).toEqual([directory])
    expect(await sourcesThatMoved({ ...renumbered, devices: renumbered.devices.map((place) => ({ ...place, mountPoint: directory })) })).toEqual([directory])
  })

  it.skipIf(process.getuid?.() !== 0)('knows a share that was mounted anew in the same place, which gives it another device number, and not another share', async () => {
    const [place, other] = [at('nas'), at('other')]
    for (const folder of [place, other, at('lower/one'), at('lower/two')]) mkdirSync(folder, { recursive: true })
    // Read-only, without a disk of its own, and with a source of any name.
    const mount = (from: string, to: string): unknown => execFileSync('mount', ['-t', 'overlay', from, '-o', `lowerdir=${at('lower/one')}:${at('lower/two')}`, to])
    const mountAnew = (from: string): void => {
      execFileSync('umount', [place])
      // It takes the number that has become free.
      mount('between:/', other)
      mount(from, place)
      execFileSync('umount', [other])
    }
    mount('nas:/export', place)
    try {
      const { dev } = statSync(place)
      const entry = await entryOfWindow(planOf({ sources: [source(place, { device: dev })] }))
      expect(entry.devices).toEqual([{ path: place, device: dev, mountPoint: place, mount: { type: 'overlay', source: 'nas:/export', root: '/' } }])
      mountAnew('nas:/export')
      expect(statSync(place).dev).not.toBe(dev)
      expect(await sourcesThatMoved(entry)).toEqual([])
      const [{ mount: _, ...earlier }] = entry.devices as [JournalEntry['devices'][number]]
      expect(await sourcesThatMoved({ ...entry, devices: [earlier] })).toEqual([place])
      mountAnew('nas:/other')
      expect(await sourcesThatMoved({ ...entry, devices: [{ ...entry.devices[0]!, device: 424_242 }] })).toEqual([place])
    } finally {
      execFileSync('umount', [place])
    }
  })

  it('does not compare what only the stack itself mounts, nor the trees of the system itself', async () => {
    const device = 424_242
    const plan = planOf({
      sources: [
        { ...source(at('volume'), { device }), isMountedByStack: true },
        ...['/run/user/1000/x', '/proc/1', '/sys/fs', '/dev/net/tun', '/var/run/docker.sock', '/run'].map((path) => source(path, { device })),
      ],
    })
    let entry: JournalEntry | undefined
    const result = await windowOf({ stop: async () => ((entry = journalHolds()[0]), ok(stopped)) }, plan)
    expect([entry?.devices, result.lost.moved]).toEqual([[], []])
    // Entries of earlier versions name them. A disk of a desktop user is mounted below /run, too.
    expect(await sourcesThatMoved({ ...entry!, devices: [{ path: '/run/user/1000', device }, { path: '/run/media/alice/disk', device }] })).toEqual(['/run/media/alice/disk'])
  })

  it.skipIf(!canMakeHangingMounts)('starts a stack with a source that hangs or has died where it was mounted, and not one whose place is empty now', async () => {
    const mount = await makeHangingMount(at('mount'))
    try {
      const plan = planOf({ sources: [source(at('mount'), { device: statSync(at('mount')).dev }), source(at('mount/file'), { device: statSync(at('mount')).dev })] })
      const begun = performance.now()
      const hung = await windowOf({ stop: async () => (await mount.hang(), ok(stopped)) }, plan)
      expect([hung.lost.moved, hung.start.ok]).toEqual([[], true])
      expect(performance.now() - begun).toBeLessThan(15_000)
      await mount.answer()
      const dead = await windowOf({ stop: async () => (await mount.kill(), ok(stopped)) }, plan)
      expect([dead.lost.moved, dead.start.ok]).toEqual([[], true])
    } finally {
      await mount.remove()
    }
    const away = await windowOf({}, planOf({ sources: [source(at('mount'), { device: 424_242 })] }))
    expect(away.lost.moved).toEqual([at('mount')])
  })

  it('starts again once an engine that went away in the window is back', async () => {
    let answers = 0
    const gone = async () => (answers++ === 0 ? failure('tool-not-answering') : ok(undefined))
    const result = await windowOf({ start: gone, waitUntilUp: async () => (answers === 1 ? failure('tool-not-answering') : ok(isUp)), ready: async () => ok(undefined) })
    expect(happened).toEqual(['stop', 'take', 'start', 'onStarting', 'waitUntilUp', 'start', 'waitUntilUp'])
    expect(result).toMatchObject({ start: { ok: true }, up: ok(isUp) })
    expect(journalHolds()).toEqual([])
  })

  it('starts a stack of whose sources one is gone from the disk it was on, or never was there', async () => {
    mkdirSync(at('data'))
    const plan = planOf({ sources: [source(at('data/socket'), { device: statSync(at('data')).dev }), source(at('never'), { device: null })] })
    expect((await windowOf({}, plan)).lost.moved).toEqual([])
    expect(happened).toContain('start')
  })

  describe('with mounts from the host', () => {
    const mountOf = (path: string): ContainerMount => ({ kind: 'bind', name: '', source: path, target: '/data', writable: true, isAnonymous: false, driver: '' })
    const planWith = (paths: readonly string[], more: Partial<StackPlan> = {}): StackPlan => planOf({ state: stateOf([container('app', { mounts: paths.map(mountOf) })]), ...more })

    it.each([
      ['a folder that was not empty', 'data', () => mkdirSync(at('data/inside'), { recursive: true })],
      ['a file', 'settings.ini', () => writeFileSync(at('settings.ini'), '')],
      ['a renamed folder inside the stack folder', 'stacks/web/data', () => mkdirSync(at('stacks/web/data/inside'), { recursive: true })],
    ])('keeps the stack down if a mount source is gone: %s', async (_what, path, make) => {
      make()
      const result = await windowOf({ take: async () => (renameSync(at(path), at('elsewhere')), ok(snapshot)) }, planWith([at(path)]))
      expect([result.lost, result.start.ok, happened]).toEqual([{ moved: [], gone: [at(path)] }, false, ['stop', 'take']])
      const [entry] = journalHolds() as [JournalEntry]
      expect(await findLostSources(entry)).toEqual({ moved: [], gone: [at(path)] })
      renameSync(at('elsewhere'), at(path))
      expect(await findLostSources(entry)).toEqual({ moved: [], gone: [] })
    })

    it('starts the stack if the missing folder was empty, is mounted by the stack itself, or belongs to a stopped container', async () => {
      for (const name of ['empty', 'own/inside', 'unused/inside']) mkdirSync(at(name), { recursive: true })
      const { containers: [app, db] } = stateOf([container('app', { mounts: [at('empty'), at('own'), at('never'), '/dev/null'].map(mountOf) }), container('db', { condition: 'exited', mounts: [mountOf(at('unused'))] })]).projects[0]!
      const plan = planOf({ state: stateOf([app!, db!]), sources: [source(at('own'), { isMountedByStack: true })] })
      const result = await windowOf({ take: async () => (['empty', 'own', 'unused'].forEach((name) => rmSync(at(name), { recursive: true })), ok(snapshot)) }, plan)
      expect([result.lost, result.start.ok]).toEqual([{ moved: [], gone: [] }, true])
    })

    it.each(['pause', 'none'] as const)('continues in mode %s if a mount source is gone, because the containers keep their mounts', async (mode) => {
      mkdirSync(at('data/inside'), { recursive: true })
      const result = await windowOf({ take: async () => (renameSync(at('data'), at('elsewhere')), ok(snapshot)) }, planWith([at('data')], { mode }))
      expect(result.start.ok).toBe(true)
    })

    it('ignores missing files in /tmp after a reboot', async () => {
      const folder = mkdtempSync('/tmp/stackbk-bind-')
      writeFileSync(join(folder, 'file'), '')
      const entry = await entryOfWindow(planWith([folder]))
      rmSync(folder, { recursive: true })
      expect(await findLostSources(entry)).toEqual({ moved: [], gone: [folder] })
      expect(await findLostSources({ ...entry, bootId: 'before' })).toEqual({ moved: [], gone: [] })
    })
  })

  it.runIf(process.getuid?.() === 0)('sees a disk that came or went, by the device of the nearest folder', async () => {
    const entry = await entryOfWindow(planOf({ sources: [source(at('stacks/web/deep/er'), { device: statSync(at('stacks/web')).dev })] }))
    expect(await sourcesThatMoved(entry)).toEqual([])
    expect(await sourcesThatMoved({ ...entry, devices: [{ path: at('not-there/either'), device: statSync('/proc').dev }] })).toEqual([at('not-there/either')])
  })

  describe('as the events of the engine tell it', () => {
    const report = (more: Partial<WatchReport> = {}): WatchReport => ({ isLossy: false, firstStopAt: 1000, lastStartAt: 1800, readyAt: 2500, ended: [], starts: [], ...more })
    const watchOf = (...reports: WatchReport[]): Watch => ({ report: () => (reports.length > 1 ? reports.shift() : reports[0]) ?? report(), close: () => Promise.resolve() })

    it('lasted from the first stop to the last start', async () => {
      expect(await windowOf({ watch: watchOf(report()) })).toMatchObject({ downtimeMs: 800, readyMs: 1500, disturbedBy: [], couldNotWatch: false })
    })

    it('waits a little for events that are late', async () => {
      const late = report({ lastStartAt: null, readyAt: null })
      expect(await windowOf({ watch: watchOf(late, late, late, report()) })).toMatchObject({ downtimeMs: 800, readyMs: 1500 })
    })

    it('had no downtime that could be told, when nothing listened or nothing stopped', async () => {
      expect(await windowOf()).toMatchObject({ downtimeMs: null, readyMs: null, couldNotWatch: true })
      expect(await windowOf({ watch: watchOf(report({ firstStopAt: null })) })).toMatchObject({ downtimeMs: null, readyMs: null, couldNotWatch: false })
    })

    it.each([
      ['a container of its own that started while it was read, and none that did before or after', true, ['meanwhile']],
      ['no container of elsewhere: what that changed decides', false, []],
    ])('was disturbed by %s', async (_, isOfStack, expected) => {
      const starts: { at: number; container: string; isOfStack: boolean }[] = []
      const note = (name: string): number => starts.push({ at: Date.now(), container: name, isOfStack })
      const pass = async (): Promise<void> => {
        const begun = Date.now()
        while (Date.now() <= begun + 1) await new Promise((resolve) => setImmediate(resolve))
      }
      const result = await windowOf({
        stop: async () => (note('before'), await pass(), ok(stopped)),
        take: async () => (await pass(), note('meanwhile'), await pass(), ok(snapshot)),
        start: async () => (await pass(), note('after'), ok(undefined)),
        watch: { report: () => report({ starts }), close: () => Promise.resolve() },
      })
      expect(result.disturbedBy).toEqual(expected)
      // It may still run: also one that was started before the reading, but after the others were listed.
      expect(result.startedWriters.map(({ container }) => container)).toEqual(isOfStack ? [] : ['before', 'meanwhile'])
    })

    it('is not known when the stream broke off, and then nobody waits for it', async () => {
      const begun = performance.now()
      expect(await windowOf({ watch: watchOf(report({ isLossy: true, lastStartAt: null })) })).toMatchObject({ couldNotWatch: true, downtimeMs: null })
      expect(performance.now() - begun).toBeLessThan(1500)
    })

    describe('and that broke off, but the containers themselves tell', () => {
      const lossy = watchOf(report({ isLossy: true }))

      it('is quiet where each is known not to have run, also where nothing listened at all', async () => {
        const ranDuring: Steps['ranDuring'] = () => Promise.resolve(ok(report({ readyAt: null })))
        for (const watch of [lossy, null]) expect(await windowOf({ watch, ranDuring })).toMatchObject({ couldNotWatch: false, disturbedBy: [], downtimeMs: 800, readyMs: null })
      })

      it('asks with the time of the reading, how it was stopped, and how its containers ended', async () => {
        const ended = [{ containerId: 'app-id', name: 'web-app-1', service: 'app', project: 'web', exitCode: 0, wasKilled: false, graceSeconds: 10, at: new Date().toISOString() }]
        let asked: ReadingTime | undefined
        await windowOf({ watch: lossy, stop: () => Promise.resolve(ok({ ended, stillRunning: [] })), ranDuring: (_state, reading) => ((asked = reading), Promise.resolve(ok(report()))) })
        expect(asked).toMatchObject({ othersFrom: 0, mode: planOf().mode, ended })
        expect(asked!.from).toBeLessThanOrEqual(asked!.until)
        expect(Date.now() - asked!.from).toBeLessThan(60_000)
      })

      it('names what ran, and the containers of elsewhere that started', async () => {
        const ranDuring: Steps['ranDuring'] = (_state, { from, until }) => Promise.resolve(ok(report({ starts: [{ at: (from + until) / 2, container: 'meanwhile', isOfStack: true }, { at: from - 1, container: 'before', isOfStack: true }, { at: (from + until) / 2, container: 'elsewhere', isOfStack: false }] })))
        const take: Steps['take'] = async () => {
          const begun = Date.now()
          while (Date.now() <= begun + 2) await new Promise((resolve) => setImmediate(resolve))
          return ok(snapshot)
        }
        expect(await windowOf({ watch: lossy, ranDuring, take })).toMatchObject({ couldNotWatch: false, disturbedBy: ['meanwhile'], startedWriters: [{ container: 'elsewhere' }] })
      })

      it.each<[string, Steps['ranDuring']]>([
        ['do not tell it either', () => Promise.resolve(ok(report({ isLossy: true })))],
        ['cannot be asked', () => Promise.resolve(failure('tool-not-answering'))],
        ['are asked of a runtime that throws', () => Promise.reject(new Error('boom'))],
        ['are asked of a runtime that does not know that question', undefined],
      ])('is not known where they %s', async (_, ranDuring) => {
        expect(await windowOf({ watch: lossy, ranDuring })).toMatchObject({ couldNotWatch: true, up: ok(isUp) })
      })

      it('are not asked where the events are complete', async () => {
        let asked = 0
        expect(await windowOf({ watch: watchOf(report()), ranDuring: () => (asked++, Promise.resolve(ok(report()))) })).toMatchObject({ couldNotWatch: false })
        expect(asked).toBe(0)
      })
    })

    it('has its result even where the listening fails', async () => {
      const result = await windowOf({ watch: { report: boom, close: () => Promise.resolve() } })
      expect(result).toMatchObject({ snapshot: ok(snapshot), up: ok(isUp), couldNotWatch: true })
      expect(journalHolds()).toEqual([])
    })
  })

  it('leaves the journal folder to its owner alone', async () => {
    await entryOfWindow()
    expect(statSync(at('journal')).mode & 0o777).toBe(0o700)
    expect(statSync(at(`journal/${stackKey(stackAt())}.json`)).mode & 0o777).toBe(0o600)
  })
})
