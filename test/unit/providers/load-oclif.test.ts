import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { loadOclif } from '../../../src/providers/load-oclif.js'

const load = vi.hoisted(() => vi.fn())
vi.mock('@oclif/core/config', () => ({ Config: { load } }))

const root = 'file:///stackbk/bin/run.js'
const hooks = { 'stackbk:providers': [], 'stackbk:event': [], init: [], prerun: [], postrun: [], finally: [], command_not_found: [] }
const plugin = (type: string): object => ({ type, hooks: { ...hooks } })

describe('what oclif loads', () => {
  let told = ''
  beforeEach(() => {
    told = ''
    load.mockReset()
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((told += String(text)), true))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  it('has no hook of every call but those of what comes with stackbk', async () => {
    load.mockResolvedValue({ plugins: new Map([['ours', plugin('core')], ['installed', plugin('user')], ['linked', plugin('link')]]) })
    const { plugins } = await loadOclif(root)
    expect(load).toHaveBeenCalledWith('/stackbk/bin/run.js')
    expect([...plugins.values()].map((one) => Object.keys(one.hooks).length)).toEqual([7, 2, 2])
    expect(Object.keys(plugins.get('installed')?.hooks ?? {})).toEqual(['stackbk:providers', 'stackbk:event'])
  })

  it('is what comes with stackbk alone where an installed plugin cannot be loaded, or hangs, which is told', async () => {
    vi.useFakeTimers()
    const alone = { plugins: new Map() }
    load.mockReturnValueOnce(new Promise(() => {})).mockResolvedValueOnce(alone)
    const loading = loadOclif(root)
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await loading).toBe(alone)
    expect(load).toHaveBeenLastCalledWith({ root: '/stackbk/bin/run.js', userPlugins: false })
    expect(told).toBe('warning: going on without any installed plugin, for they could not be loaded: it took longer than 15 s\n')
  })

  it('does not let a plugin exit while it is loaded', async () => {
    load.mockImplementationOnce(() => Reflect.apply(Reflect.get(process, 'exit'), process, [0])).mockResolvedValueOnce({ plugins: new Map() })
    await loadOclif(root)
    expect(told).toContain('it called process.exit(0)')
  })
})
