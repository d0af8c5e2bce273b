import { CONTRACT_VERSION, type AnyDescriptor } from '@stackbk/contract'
import type { Interfaces } from '@oclif/core'
import { afterEach, describe, expect, it, vi } from 'vitest'

import { chooseProvider } from '../../../src/providers/choose.js'
import { collectOffers, type Offers } from '../../../src/providers/collect.js'
import { LiveProviders, type LiveProvidersOptions } from '../../../src/providers/live-providers.js'
import { errorOf } from '../stages/fixtures.js'

const plugin = (name: string) => ({ name }) as Interfaces.Plugin
const descriptor = (id: string, more: Partial<Record<keyof AnyDescriptor, unknown>> = {}): AnyDescriptor =>
  ({ kind: 'engine', id, apiVersion: CONTRACT_VERSION, title: id, settings: [], create: () => Promise.resolve({ id, close: () => Promise.resolve() }), ...more }) as unknown as AnyDescriptor

/** What oclif gives back: successes in the order in which they came. */
async function collected(successes: Record<string, unknown>, failures: Record<string, Error> = {}): Promise<Offers> {
  const runHook = vi.fn().mockResolvedValue({
    successes: Object.entries(successes).map(([name, result]) => ({ plugin: plugin(name), result })),
    failures: Object.entries(failures).map(([name, error]) => ({ plugin: plugin(name), error })),
  })
  const offers = await collectOffers({ runHook } as unknown as Interfaces.Config)
  expect(runHook).toHaveBeenCalledWith('stackbk:providers', {}, expect.any(Number), true)
  return offers
}

const idsOf = (offers: Offers): string[] => offers.usable.map((offer) => offer.descriptor.id)

describe('what plugins provide', () => {
  it('is the same every night, in whatever order they answer', async () => {
    const [a, b, c] = [[descriptor('x')], [descriptor('y'), descriptor('z')], [descriptor('w')]]
    expect(idsOf(await collected({ c, a, b }))).toEqual(idsOf(await collected({ b, c, a })))
    expect(idsOf(await collected({ c, a, b }))).toEqual(['x', 'y', 'z', 'w'])
  })

  it('lacks that of a plugin that throws or hangs, which is told', async () => {
    const offers = await collected({ good: [descriptor('restic')] }, { bad: new Error('Timed out after 5000 ms.') })
    expect(idsOf(offers)).toEqual(['restic'])
    expect(offers.unusable).toEqual([{ plugin: 'bad', kind: '', id: '', reason: expect.stringContaining('Timed out') }])
  })

  it.each([
    ['nothing', undefined, /no provider/],
    ['a text', ['restic'], /no provider/],
    ['null', [null], /no provider/],
    ['a kind that there is none of', [descriptor('x', { kind: 'teleporter' })], /no kind of provider called "teleporter"/],
    ['no id', [descriptor('')], /no id/],
    ['no version', [descriptor('x', { apiVersion: undefined })], /apiVersion/],
    ['a version that is no number', [descriptor('x', { apiVersion: '1' })], /apiVersion/],
    ['a newer version', [descriptor('x', { apiVersion: CONTRACT_VERSION + 1 })], new RegExp(`version ${CONTRACT_VERSION + 1} .* version ${CONTRACT_VERSION}`)],
    ['an older version', [descriptor('x', { apiVersion: 0 })], /version 0/],
    ['no settings', [descriptor('x', { settings: undefined })], /settings/],
    ['no create()', [descriptor('x', { create: undefined })], /create/],
  ])('is not usable where it is %s, and costs the others nothing', async (_, result, reason) => {
    const offers = await collected({ bad: result, good: [descriptor('restic')] })
    expect(idsOf(offers)).toEqual(['restic'])
    expect(offers.unusable).toMatchObject([{ plugin: 'bad', reason: expect.stringMatching(reason) }])
  })

  it('may be one descriptor without a list', async () => {
    expect(idsOf(await collected({ one: descriptor('restic') }))).toEqual(['restic'])
  })

  it('of two with one id is neither by that alone, but each by its package', async () => {
    const offers = await collected({ 'their-restic': [descriptor('restic')], '@stackbk/plugin-restic': [descriptor('restic')], other: [descriptor('rclone')] })
    expect(idsOf(offers)).toEqual(['@stackbk/plugin-restic#restic', 'rclone', 'their-restic#restic'].sort())
    expect(offers.unusable.map(({ plugin: name, reason }) => [name, reason])).toEqual([
      ['@stackbk/plugin-restic', 'their-restic provides it too; ask for "@stackbk/plugin-restic#restic"'],
      ['their-restic', '@stackbk/plugin-restic provides it too; ask for "their-restic#restic"'],
    ])
    expect(chooseProvider(offers, 'engine', 'their-restic#restic')).toMatchObject({ title: 'restic' })
    expect((await errorOf(() => chooseProvider(offers, 'engine', 'restic'))).detail).toContain('ask for "@stackbk/plugin-restic#restic"')
  })

  it('may have one id in two kinds', async () => {
    expect(idsOf(await collected({ a: [descriptor('x'), descriptor('x', { kind: 'transport' })] }))).toEqual(['x', 'x'])
  })
})

describe('choosing a provider', () => {
  it('says which there are, and why the one asked for is not usable', async () => {
    const offers = await collected({ a: [descriptor('restic')], b: [descriptor('borg', { apiVersion: 9 })] }, { c: new Error('broken') })
    expect(chooseProvider(offers, 'engine', 'restic').id).toBe('restic')
    const error = await errorOf(() => chooseProvider(offers, 'engine', 'borg'))
    expect(error).toMatchObject({ kind: 'configuration', code: 'provider-not-usable', fix: expect.stringContaining('restic') })
    expect(error.detail).toMatch(/b: .*version 9[^]*c: .*broken|c: .*broken[^]*b: .*version 9/)
  })

  it('never takes one of another kind', async () => {
    const offers = await collected({ a: [descriptor('rclone', { kind: 'transport' })] })
    expect(await errorOf(() => chooseProvider(offers, 'engine', 'rclone'))).toMatchObject({ kind: 'configuration', fix: expect.stringContaining('Install') })
  })
})

describe('live providers', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  async function live(descriptors: AnyDescriptor[], more: Partial<LiveProvidersOptions> = {}): Promise<LiveProviders> {
    return new LiveProviders({
      offers: await collected({ a: descriptors }),
      idOf: () => 'restic',
      settingsOf: () => ({}),
      signal: new AbortController().signal,
      log: () => {},
      exec: { run: () => Promise.reject(new Error('no tool here')), start: () => { throw new Error('no tool here') } },
      dryRun: true,
      cacheFolder: '/nothing-of-this-name',
      ...more,
    })
  }

  it('are created once, at their first use, however many ask at once', async () => {
    const create = vi.fn().mockResolvedValue({ close: () => Promise.resolve() })
    const providers = await live([descriptor('restic', { create })])
    expect(create).not.toHaveBeenCalled()
    const [one, two] = await Promise.all([providers.get('engine'), providers.get('engine')])
    expect(one).toBe(two)
    expect(create).toHaveBeenCalledTimes(1)
    expect(create).toHaveBeenCalledWith({}, expect.objectContaining({ dryRun: true, cacheDir: '/nothing-of-this-name/restic' }))
  })

  it('that cannot be created are a matter of the configuration', async () => {
    const providers = await live([descriptor('restic', { create: () => Promise.reject(new Error('bad key')) })])
    expect(await errorOf(() => providers.get('engine'))).toMatchObject({ kind: 'configuration', detail: 'bad key' })
  })

  it('are closed with the run, also when one of them fails at it or was never made', async () => {
    const closed: string[] = []
    const providers = await live([
      descriptor('restic', { create: () => Promise.resolve({ close: () => Promise.reject(new Error('stuck')) }) }),
      descriptor('restic', { kind: 'transport', create: () => Promise.resolve({ close: () => (closed.push('transport'), Promise.resolve()) }) }),
    ])
    await providers.get('engine')
    await providers.get('transport')
    await errorOf(() => providers.get('runtime'))
    await providers.close()
    await providers.close()
    expect(closed).toEqual(['transport'])
  })
})
