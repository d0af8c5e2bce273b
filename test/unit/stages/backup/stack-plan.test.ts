import type { Capsule, Preflight, Runtime, StackState } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { planStack, requestedStopMode, type RequestedStopMode, type StackPlan } from '../../../../src/stages/backup/stack-plan.js'
import { runningServices } from '../../../../src/stacks/running.js'
import { at, configuration, container, failure, ok, partly, source, stackAt, stateOf } from '../fixtures.js'

const capsule = { schemaVersion: 1, notes: [] } as unknown as Capsule

const running = (): StackState => stateOf([container('app'), container('db')])
const stopped = (): StackState => stateOf([container('app', { condition: 'exited' })])
const unknown = (): StackState => ({ ...running(), condition: 'unknown', failure: { kind: 'tool-not-answering', message: 'the daemon is gone' } })

describe('the plan for a stack', () => {
  async function planOf(state: StackState, options: { preflight?: Partial<Preflight>; runtime?: Partial<Runtime>; text?: string; flag?: RequestedStopMode } = {}): Promise<StackPlan> {
    const preflight: Preflight = { model: ok(undefined), missingImages: [], whyNotDown: [], wouldLose: [], ...options.preflight }
    const runtime = partly<Runtime>('runtime', {
      preflight: () => Promise.resolve(ok(preflight)),
      sources: () => Promise.resolve(ok([source(at('stacks/web'))])),
      describe: () => Promise.resolve(ok(capsule)),
      ...options.runtime,
    })
    return planStack(stackAt(), state, { runtime, configuration: configuration(options.text), engine: { excludeFilter: (patterns) => (path) => patterns.includes(path) }, stopMode: options.flag, reserved: [], signal: new AbortController().signal })
  }
  const codesOf = (plan: StackPlan): string[] => plan.problems.map(({ code }) => code)

  describe('asks for the stop mode', () => {
    const labelled = (mode: string): StackState => stateOf([container('app'), container('db', { labels: { 'stackbk.stop-mode': mode } })])
    const all = '[docker]\nSTOP_MODE=stop\n[stack:web]\nSTOP_MODE=pause\n'
    const cases: [string, RequestedStopMode | undefined, string, StackState, RequestedStopMode][] = [
      ['of the flag before any other', 'none', all, labelled('down'), 'none'],
      ['of the flag also where that is auto', 'auto', all, labelled('down'), 'auto'],
      ["of the stack's own section before the label", undefined, all, labelled('down'), 'pause'],
      ['of the label before the general one', undefined, '[docker]\nSTOP_MODE=stop\n', labelled('down'), 'down'],
      ['in general where nothing else says', undefined, '[docker]\nSTOP_MODE=stop\n', running(), 'stop'],
      ["of another stack's section never", undefined, '[docker]\nSTOP_MODE=stop\n[stack:db]\nSTOP_MODE=pause\n', running(), 'stop'],
      ['auto where nothing says anything', undefined, '', running(), 'auto'],
      ['of a label that says nothing known never', undefined, '[docker]\nSTOP_MODE=stop\n', labelled('Sometimes'), 'stop'],
      ['of its own section also where that is auto', undefined, '[docker]\nSTOP_MODE=stop\n[stack:web]\nSTOP_MODE=auto\n', labelled('down'), 'auto'],
    ]
    it.each(cases)('%s', (_, flag, text, state, expected) => {
      expect(requestedStopMode(stackAt(), state, configuration(text), flag)).toBe(expected)
    })
  })

  it('warns of a stop timeout in a label that is not a time, and not of one that is', async () => {
    const labelled = (value: string): StackState => stateOf([container('app', { labels: { 'stackbk.stop-timeout': value } })])
    for (const value of ['90', '5m', '1 h']) expect(codesOf(await planOf(labelled(value)))).toEqual([])
    for (const value of ['', 'soon', '0', '-5', '2d', '1.5']) expect(codesOf(await planOf(labelled(value)))).toEqual(['invalid-stop-timeout'])
  })

  it('is incomplete where EXCLUDE leaves out the folder as a whole, and says so', async () => {
    const plan = await planOf(running(), { text: `[stack:web]\nEXCLUDE=cache, ${at('stacks/web')}\n` })
    expect([plan.isIncomplete, plan.excludes]).toEqual([true, ['cache', at('stacks/web')]])
    expect(plan.problems).toMatchObject([{ severity: 'error', code: 'root-excluded', message: expect.stringContaining(at('stacks/web')) as string, fix: 'Correct EXCLUDE in [stack:web]' }])
    expect(await planOf(running(), { text: '[stack:web]\nEXCLUDE=cache\n' })).toMatchObject({ isIncomplete: false, problems: [] })
  })

  it('is down by itself, where that gives back the very containers that ran', async () => {
    expect(await planOf(running())).toMatchObject({ mode: 'down', modeReason: null, willStop: true, isLiveUnasked: false, isIncomplete: false, problems: [], paths: [at('stacks/web')], capsule })
  })

  it('is stop by itself where it does not, and says why', async () => {
    expect(await planOf(running(), { preflight: { whyNotDown: ['db has an anonymous volume', 'a one-off container'] } })).toMatchObject({
      mode: 'stop',
      modeReason: 'db has an anonymous volume; a one-off container',
      whyNotDown: ['db has an anonymous volume', 'a one-off container'],
      willStop: true,
    })
  })

  it('is stop by itself where a container keeps files that a new one would lack, and warns of them', async () => {
    const asked: unknown[] = []
    const preflight: Preflight = { model: ok(undefined), missingImages: [], whyNotDown: ['web-db-1 keeps files: /data/row'], dataInContainers: ['web-db-1 keeps files: /data/row'], wouldLose: [] }
    const plan = await planOf(running(), { runtime: { preflight: (_, options) => (asked.push(options?.stopMode), Promise.resolve(ok(preflight))) } })
    expect(plan).toMatchObject({ mode: 'stop', modeReason: 'web-db-1 keeps files: /data/row', willStop: true, problems: [{ severity: 'warning', code: 'data-in-container', message: expect.stringContaining('/data/row') }] })
    expect(asked).toEqual(['auto'])
    expect(codesOf(await planOf(running(), { flag: 'stop', preflight }))).toEqual([])
    expect(codesOf(await planOf(stopped(), { preflight }))).toEqual([])
  })

  it('is down where that was asked for, whatever it gives back', async () => {
    expect(await planOf(running(), { flag: 'down', preflight: { whyNotDown: ['an anonymous volume'] } })).toMatchObject({
      mode: 'down',
      modeReason: null,
      willStop: true,
      problems: [{ severity: 'warning', code: 'down-changes' }],
    })
  })

  it('is stop where down was asked for and something could not be made again: what ran has to run again', async () => {
    expect(await planOf(running(), { flag: 'down', preflight: { whyNotDown: ['a one-off'], whyNeverDown: ['a one-off'] } })).toMatchObject({
      mode: 'stop',
      modeReason: 'down would not give back what ran: a one-off',
      willStop: true,
      problems: [],
    })
  })

  it('is stop where down was asked for and a container keeps files that a new one would lack, and warns of them', async () => {
    const data = ['web-db-1 keeps files: /data/row']
    const plan = await planOf(running(), { flag: 'down', preflight: { whyNotDown: data, dataInContainers: data, whyNeverDown: data } })
    expect(plan).toMatchObject({ mode: 'stop', modeReason: 'down would not give back what ran: web-db-1 keeps files: /data/row', willStop: true, problems: [{ severity: 'warning', code: 'data-in-container' }] })
    expect(plan.problems).toHaveLength(1)
  })

  it.each([{ missingImages: ['nginx:1'] }, { wouldLose: ['web-app-1 removes itself'] }, { startObstacles: [{ kind: 'fails', message: 'a device is gone', fix: '' }] } satisfies Partial<Preflight>])('pauses what must not be stopped, since nothing is stopped by that: %o', async (preflight) => {
    expect(await planOf(running(), { flag: 'pause', preflight })).toMatchObject({ mode: 'pause', willStop: true, isLiveUnasked: false, problems: [] })
  })

  it('warns of a label that says nothing known', async () => {
    const plan = await planOf(stateOf([container('app', { labels: { 'stackbk.stop-mode': 'Sometimes' } })]))
    expect(plan).toMatchObject({ mode: 'down', problems: [{ severity: 'warning', code: 'unknown-stop-mode' }] })
  })

  it('is not whole with none either, where the model that names its data does not resolve', async () => {
    expect(await planOf(running(), { flag: 'none', preflight: { model: failure('configuration') } })).toMatchObject({ isLiveUnasked: false, isIncomplete: true })
    expect(await planOf(running(), { flag: 'none', preflight: { missingImages: ['nginx:1'] } })).toMatchObject({ isIncomplete: false, problems: [] })
  })

  it.each([
    ['auto', 'stop'],
    ['down', 'stop'],
    ['stop', 'stop'],
    ['pause', 'pause'],
    ['none', 'none'],
  ] as const)('needs no model for containers that are started as they are: %s becomes %s, with a warning', async (flag, mode) => {
    const plan = await planOf(running(), { flag, preflight: { model: failure('configuration'), canStartWithoutModel: true } })
    expect(plan).toMatchObject({ mode, willStop: mode !== 'none', isLiveUnasked: false, isIncomplete: false, problems: [{ severity: 'warning', code: 'model-does-not-resolve' }] })
    expect(plan.modeReason).toEqual(flag === 'auto' || flag === 'down' ? expect.stringContaining('does not resolve') : null)
  })

  it('reads a stack that does not run by its containers, without a model', async () => {
    expect(await planOf(stopped(), { preflight: { model: failure('configuration'), canStartWithoutModel: true } })).toMatchObject({ willStop: false, isIncomplete: false, problems: [{ severity: 'warning', code: 'model-does-not-resolve' }] })
  })

  it('stops nothing with none, which is no fault', async () => {
    expect(await planOf(running(), { flag: 'none' })).toMatchObject({ mode: 'none', willStop: false, isLiveUnasked: false, problems: [] })
  })

  it('stops nothing of a stack that does not run', async () => {
    expect(await planOf(stopped())).toMatchObject({ willStop: false, isLiveUnasked: false, isIncomplete: false, problems: [] })
    expect(await planOf({ ...stopped(), condition: 'not-found', projects: [] })).toMatchObject({ willStop: false, isLiveUnasked: false })
  })

  const obstacles: [string, Partial<Preflight>, string][] = [
    ['its model does not resolve', { model: failure('configuration') }, 'model-does-not-resolve'],
    ['an image that it would need is missing', { missingImages: ['nginx:1'] }, 'image-missing'],
    ['a stop would lose something for good', { wouldLose: ['web-app-1 removes itself'] }, 'stop-would-lose'],
    ['what its start needs is gone', { startObstacles: [{ kind: 'fails', message: 'a device is gone', fix: 'Plug it in' }] }, 'start-would-fail'],
    ['a start would bring it back with other data', { startObstacles: [{ kind: 'other-data', message: 'its folder was moved', fix: 'Put it back' }] }, 'start-would-change-data'],
  ]
  it.each(obstacles)('stops nothing that could not be started again: %s; it is read as it runs, and that is told', async (_, preflight, code) => {
    const plan = await planOf(running(), { preflight })
    expect(plan).toMatchObject({ willStop: false, isLiveUnasked: true })
    expect(codesOf(plan)).toEqual([code])
    expect(plan.problems[0]).toMatchObject({ severity: 'error', stack: 'web' })
  })

  it('takes a stack down that only its present containers keep from starting, and does not stop it', async () => {
    const preflight: Partial<Preflight> = { startObstacles: [{ kind: 'fails', message: 'the container whose network it shares is gone', fix: '', isGoneWithDown: true }] }
    expect(await planOf(running(), { preflight })).toMatchObject({ mode: 'down', willStop: true, problems: [] })
    expect(await planOf(running(), { preflight: { ...preflight, whyNotDown: ['an anonymous volume'] } })).toMatchObject({ mode: 'stop', willStop: false, isLiveUnasked: true, problems: [{ code: 'start-would-fail' }] })
  })

  it.each(obstacles)('is not to blame with none, where %s', async (_, preflight) => {
    expect(await planOf(running(), { preflight, flag: 'none' })).toMatchObject({ willStop: false, isLiveUnasked: false })
  })

  it('of a stack that does not run only minds what hides its data', async () => {
    expect(await planOf(stopped(), { preflight: { missingImages: ['nginx:1'], wouldLose: ['web-app-1 removes itself'] } })).toMatchObject({ problems: [], isIncomplete: false })
    const hidden = await planOf(stopped(), { preflight: { model: failure('configuration') } })
    expect(hidden).toMatchObject({ isIncomplete: true, isLiveUnasked: false, willStop: false })
    expect(codesOf(hidden)).toEqual(['model-does-not-resolve'])
  })

  it('stops nothing when what a stop would meet cannot be found out', async () => {
    const plan = await planOf(running(), { runtime: { preflight: () => Promise.resolve(failure('tool-not-answering')) } })
    expect(plan).toMatchObject({ willStop: false, isLiveUnasked: true })
    expect(codesOf(plan)).toEqual(['preflight-failed'])
  })

  it('never takes unknown for stopped: it is read, marked, and nothing of it is asked or stopped', async () => {
    const plan = await planOf(unknown(), { runtime: { preflight: () => Promise.reject(new Error('asked')) } })
    expect(plan).toMatchObject({ willStop: false, isLiveUnasked: true, problems: [{ code: 'state-unknown', message: 'the daemon is gone' }] })
    expect((await planOf({ ...unknown(), failure: null })).problems).toMatchObject([{ code: 'state-unknown' }])
  })

  it('of a stack whose places cannot be told holds at least its folder, and says that it is not all', async () => {
    const plan = await planOf(running(), { runtime: { sources: () => Promise.resolve(failure('tool-not-answering')) } })
    expect(plan).toMatchObject({ paths: [at('stacks/web')], sources: [], isIncomplete: true, willStop: true })
    expect(codesOf(plan)).toEqual(['sources-unknown'])
  })

  it('goes without a capsule where none can be had, with a warning', async () => {
    const plan = await planOf(running(), { runtime: { describe: () => Promise.resolve(failure('failed')) } })
    expect(plan).toMatchObject({ capsule: null, willStop: true, problems: [{ severity: 'warning', code: 'capsule-incomplete' }] })
  })

  it('knows which services run, each once and sorted', () => {
    const state = stateOf([container('web'), container('db'), container('web', { number: 2 }), container('job', { condition: 'exited' }), container('cache', { condition: 'paused' }), container('loop', { condition: 'restarting' }), container('new', { condition: 'created' })])
    expect(runningServices(state)).toEqual(['cache', 'db', 'loop', 'web'])
  })
})
