import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { CONTRACT_VERSION, type AnyDescriptor } from '@stackbk/contract'
import { afterEach, describe, expect, it, vi } from 'vitest'

import { chooseProvider } from '../../../src/providers/choose.js'
import { collectOffers, type Offers } from '../../../src/providers/collect.js'
import type { PluginHost } from '../../../src/providers/offers.js'
import { LiveProviders, type LiveProvidersOptions } from '../../../src/providers/live-providers.js'
import { errorOf } from '../stages/fixtures.js'

const descriptor = (id: string, more: Partial<Record<keyof AnyDescriptor, unknown>> = {}): AnyDescriptor =>
  ({ kind: 'freezer', id, apiVersion: CONTRACT_VERSION, title: id, settings: [], create: () => Promise.resolve(freezer()), ...more }) as unknown as AnyDescriptor

/** The kind with the fewest methods. */
const freezer = (more: object = {}): object => Object.fromEntries([...['ready', 'examine', 'close', 'canFreeze', 'freeze', 'release', 'leftovers'].map((name) => [name, () => Promise.resolve({ ok: true })]), ...Object.entries(more)])

/** A setting as a plugin may declare it. */
const setting = (more: object = {}): object => ({ section: 'plugin:x', key: 'FOLDER', type: 'path', help: 'where to', ...more })

/** As oclif has it: `answers` by the name of the plugin. Those that begin with `@stackbk/` come with stackbk. */
function host(answers: Record<string, () => unknown>): PluginHost {
  const plugins = new Map(Object.keys(answers).map((name) => [name, { name, version: '1.0.0', root: `/plugins/${name}`, type: name.startsWith('@stackbk/') ? 'core' : 'user', hooks: { 'stackbk:providers': [] } }]))
  async function runHook(this: PluginHost, event: string, options: object, limitMs: number, captured: boolean): Promise<object> {
    expect([event, options, limitMs, captured]).toEqual(['stackbk:providers', {}, expect.any(Number), true])
    const [plugin] = [...this.plugins.values()]
    try {
      return { successes: [{ plugin, result: await answers[plugin?.name ?? '']?.() }], failures: [] }
    } catch (error) {
      return { successes: [], failures: [{ plugin, error }] }
    }
  }
  return { plugins, runHook, root: '/stackbk', dataDir: '/nothing-of-this-name', pjson: { dependencies: {} } } as unknown as PluginHost
}

async function collected(successes: Record<string, unknown>, failures: Record<string, Error> = {}): Promise<Offers> {
  const failing = Object.entries(failures).map(([name, error]) => [name, () => Promise.reject(error)] as const)
  return await collectOffers(host({ ...Object.fromEntries(Object.entries(successes).map(([name, result]) => [name, () => result])), ...Object.fromEntries(failing) }))
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

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
    expect(offers.unusable).toEqual([{ plugin: 'bad', origin: 'installed', kind: '', id: '', reason: expect.stringContaining('Timed out'), stack: expect.stringContaining('Timed out') }])
  })

  it('comes without that of a plugin that never answers, and waits for it a while', async () => {
    vi.useFakeTimers()
    const answer = collectOffers(host({ bad: () => new Promise(() => {}), good: () => [descriptor('restic')] }))
    await vi.advanceTimersByTimeAsync(5_000)
    vi.useRealTimers()
    const offers = await answer
    expect(idsOf(offers)).toEqual(['restic'])
    expect(offers.unusable).toMatchObject([{ plugin: 'bad', reason: expect.stringContaining('longer than 5 s') }])
  })

  it('comes without that of a plugin that wants to exit, and without what it prints', async () => {
    const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const offers = await collectOffers(host({ exits: () => Reflect.apply(Reflect.get(process, 'exit'), process, [0]), prints: () => (process.stdout.write('hello'), [descriptor('restic')]) }))
    expect(printed).toHaveBeenCalledWith('hello')
    expect(idsOf(offers)).toEqual(['restic'])
    expect(offers.unusable).toMatchObject([{ plugin: 'exits', reason: expect.stringContaining('process.exit(0)') }])
  })

  it('may be what cannot even be looked at', async () => {
    const trap = new Proxy({}, { get: () => { throw new Error('hands off') } })
    expect((await collected({ bad: [trap] })).unusable).toMatchObject([{ plugin: 'bad', reason: expect.stringContaining('hands off') }])
  })

  it.each([
    ['nothing', undefined, /not a provider/],
    ['a text', ['restic'], /not a provider/],
    ['null', [null], /not a provider/],
    ['a kind that there is none of', [descriptor('x', { kind: 'teleporter' })], /no kind of provider called "teleporter"/],
    ['no id', [descriptor('')], /no id/],
    ['no version', [descriptor('x', { apiVersion: undefined })], /apiVersion/],
    ['a version that is no number', [descriptor('x', { apiVersion: '1' })], /apiVersion/],
    ['a newer version', [descriptor('x', { apiVersion: CONTRACT_VERSION + 1 })], new RegExp(`version ${CONTRACT_VERSION + 1} .* version ${CONTRACT_VERSION}`)],
    ['an older version', [descriptor('x', { apiVersion: 0 })], /version 0/],
    ['no settings', [descriptor('x', { settings: undefined })], /settings/],
    ['no create()', [descriptor('x', { create: undefined })], /create/],
    ['no title', [descriptor('x', { title: undefined })], /title/],
    ['an id that is none', [descriptor('x y')], /its id "x y"/],
    ['settings that are none', [descriptor('x', { settings: [null] })], /not a declaration/],
    ['a key in lower case', [descriptor('x', { settings: [setting({ key: 'folder' })] })], /upper case: "folder"/],
    ["a key among the core's", [descriptor('x', { settings: [setting({ section: 'docker' })] })], /FOLDER stands in \[docker\].*\[plugin:ID\]/],
    ['a type that there is not', [descriptor('x', { settings: [setting({ type: 'colour' })] })], /unknown type: "colour"/],
    ['a choice of nothing', [descriptor('x', { settings: [setting({ type: 'choice' })] })], /no choices/],
    ['no help', [descriptor('x', { settings: [setting({ help: undefined })] })], /no help/],
    ['a pattern that is none', [descriptor('x', { settings: [setting({ pattern: { matches: '(', inWords: 'x' } })] })], /pattern/],
    ['a range that is none', [descriptor('x', { settings: [setting({ range: { min: '1' } })] })], /range/],
    ['other names that are none', [descriptor('x', { settings: [setting({ aliases: 'A' })] })], /other names/],
  ])('is not usable where it is %s, and costs the others nothing', async (_, result, reason) => {
    const offers = await collected({ bad: result, good: [descriptor('restic')] })
    expect(idsOf(offers)).toEqual(['restic'])
    expect(offers.unusable).toMatchObject([{ plugin: 'bad', reason: expect.stringMatching(reason) }])
  })

  it('may share a key with one that comes with stackbk, of the same type', async () => {
    const shared = setting({ section: 'cloud_sync', key: 'BANDWIDTH', type: 'string' })
    const offers = await collected({ '@stackbk/plugin-rclone': [descriptor('rclone', { settings: [shared] })], a: [descriptor('rsync', { settings: [{ ...shared }, setting()] })], b: [descriptor('odd', { settings: [{ ...shared, type: 'integer' }] })] })
    expect(idsOf(offers)).toEqual(['rclone', 'rsync'])
    expect(offers.unusable).toMatchObject([{ plugin: 'b', reason: expect.stringContaining('BANDWIDTH stands in [cloud_sync]') }])
  })

  it('may be one descriptor without a list', async () => {
    expect(idsOf(await collected({ one: descriptor('restic') }))).toEqual(['restic'])
  })

  it('keeps its id where it comes with stackbk, and an installed one of the same id is asked for by its package', async () => {
    const offers = await collected({ 'their-restic': [descriptor('restic', { title: 'theirs' })], '@stackbk/plugin-restic': [descriptor('restic', { title: 'ours' })], other: [descriptor('rclone')] })
    expect(idsOf(offers)).toEqual(['restic', 'rclone', 'their-restic#restic'])
    expect(offers.unusable.map(({ plugin: name, reason }) => [name, reason])).toEqual([['their-restic', '@stackbk/plugin-restic provides it too, and is the one that is used; this one is asked for as "their-restic#restic"']])
    expect(chooseProvider(offers, 'freezer', 'restic')).toMatchObject({ title: 'ours' })
    expect(chooseProvider(offers, 'freezer', '@stackbk/plugin-restic#restic')).toMatchObject({ title: 'ours' })
    expect(chooseProvider(offers, 'freezer', 'their-restic#restic')).toMatchObject({ title: 'theirs' })
  })

  it('of two installed ones with one id is neither by that alone, but each by its package', async () => {
    const offers = await collected({ one: [descriptor('borg')], two: [descriptor('borg')] })
    expect(idsOf(offers)).toEqual(['one#borg', 'two#borg'])
    expect((await errorOf(() => chooseProvider(offers, 'freezer', 'borg'))).detail).toBe('one: two provides it too; this one is asked for as "one#borg"\ntwo: one provides it too; this one is asked for as "two#borg"')
    expect((await errorOf(() => chooseProvider(offers, 'freezer', 'three#borg'))).detail).toBe('')
  })

  it('can be asked for by its package also where there is no other', async () => {
    expect(chooseProvider(await collected({ one: [descriptor('borg')] }), 'freezer', 'one#borg')).toMatchObject({ id: 'borg' })
  })

  it('counts once where a plugin gives it twice', async () => {
    const offers = await collected({ one: [descriptor('borg'), descriptor('borg')] })
    expect(idsOf(offers)).toEqual(['borg'])
    expect(offers.unusable).toMatchObject([{ plugin: 'one', id: 'borg', reason: 'it provides this twice' }])
  })

  it('may have one id in two kinds', async () => {
    expect(idsOf(await collected({ a: [descriptor('x'), descriptor('x', { kind: 'transport' })] }))).toEqual(['x', 'x'])
  })
})

describe('choosing a provider', () => {
  it('says which there are, and why the one asked for is not usable', async () => {
    const offers = await collected({ a: [descriptor('restic')], b: [descriptor('borg', { apiVersion: 9 })] }, { c: new Error('broken') })
    expect(chooseProvider(offers, 'freezer', 'restic').id).toBe('restic')
    const error = await errorOf(() => chooseProvider(offers, 'freezer', 'borg'))
    expect(error).toMatchObject({ kind: 'configuration', code: 'provider-not-usable', fix: expect.stringContaining('restic') })
    expect(error.detail).toMatch(/b: .*version 9[^]*c: .*broken|c: .*broken[^]*b: .*version 9/)
  })

  it('never takes one of another kind', async () => {
    const offers = await collected({ a: [descriptor('rclone', { kind: 'transport' })] })
    expect(await errorOf(() => chooseProvider(offers, 'freezer', 'rclone'))).toMatchObject({ kind: 'configuration', fix: expect.stringContaining('Install') })
  })
})

describe('live providers', () => {
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
      dataFolder: '/nothing-that-lasts',
      ...more,
    })
  }

  it('are created once, at their first use, however many ask at once', async () => {
    const create = vi.fn().mockResolvedValue(freezer())
    const providers = await live([descriptor('btrfs', { create })])
    expect(create).not.toHaveBeenCalled()
    const [one, two] = await Promise.all([providers.freezer('btrfs'), providers.freezer('btrfs')])
    expect(one).toBe(two)
    expect(create).toHaveBeenCalledTimes(1)
    expect(create).toHaveBeenCalledWith({}, expect.objectContaining({ dryRun: true, cacheDir: '/nothing-of-this-name/freezer-btrfs', dataDir: '/nothing-that-lasts/freezer-btrfs' }))
  })

  it.skipIf(process.getuid?.() !== 0)('are not created as root with a file that another user can change and that names programs, unless that is told and taken', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stackbk-command-file-'))
    try {
      const [path, own] = [join(folder, 'rclone.conf'), join(folder, 'own.conf')]
      for (const file of [path, own]) writeFileSync(file, '', { mode: 0o600 })
      chownSync(path, 1234, 1234)
      const named = (): AnyDescriptor[] => [descriptor('btrfs', { create: vi.fn().mockResolvedValue(freezer()), commandFiles: ({ FILE }: Record<string, unknown>) => [{ namedBy: 'FILE', path: String(FILE) }] })]
      const settingsOf = (file: string) => () => ({ FILE: file })
      expect(await errorOf(async () => (await live(named(), { settingsOf: settingsOf(path) })).freezer('btrfs'))).toMatchObject({ kind: 'configuration', code: 'not-trusted', message: `FILE ${path} can be changed by another user, and is not used by root`, fix: expect.stringMatching(/^Copy it .* set FILE/) as string })
      const told: string[] = []
      await (await live(named(), { settingsOf: settingsOf(path), onDistrust: ({ message }) => told.push(message) })).freezer('btrfs')
      expect(told).toEqual([expect.stringContaining(path)])
      await (await live(named(), { settingsOf: settingsOf(own) })).freezer('btrfs')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([
    ['that throws', () => Promise.reject(new Error('bad key')), 'bad key'],
    ['that gives nothing', () => Promise.resolve(null), 'its create() gave no freezer'],
    ['that gives half of one', () => Promise.resolve({ ...freezer(), freeze: undefined, close: 1 }), 'its create() gave a freezer without close(), freeze()'],
  ])('with a create() %s are a matter of the configuration', async (_, create, detail) => {
    const providers = await live([descriptor('btrfs', { create })])
    expect(await errorOf(() => providers.freezer('btrfs'))).toMatchObject({ kind: 'configuration', code: 'provider-not-usable', detail })
  })

  it('with a create() that never ends are so too', async () => {
    vi.useFakeTimers()
    const providers = await live([descriptor('btrfs', { create: () => new Promise(() => {}) })])
    const error = errorOf(() => providers.freezer('btrfs'))
    await vi.advanceTimersByTimeAsync(10_000)
    vi.useRealTimers()
    expect(await error).toMatchObject({ kind: 'configuration', detail: 'it took longer than 10 s' })
  })

  it.each([
    ['throws', () => { throw new Error('oh') }],
    ['rejects', () => Promise.reject(new Error('oh'))],
    ['throws no error', () => { throw Object.assign(new Map(), { message: 'oh' }) as unknown as Error }],
  ])('of others are named where a call of theirs %s', async (_, freeze) => {
    const subject = await (await live([descriptor('btrfs', { create: () => Promise.resolve(freezer({ freeze, ready: freeze })) })])).freezer('btrfs')
    expect(await errorOf(async () => subject.freeze([], { label: 'x' }))).toMatchObject({ kind: 'failed', message: 'the freezer "btrfs" failed unexpectedly in freeze()', detail: 'oh', fix: expect.stringContaining('plugin a') })
    expect(await errorOf(async () => subject.ready())).toMatchObject({ kind: 'configuration' })
  })

  it('of others leave the stack of what they throw in the log', async () => {
    const log = vi.fn()
    const oops = (): never => (undefined as unknown as { readonly list: () => never }).list()
    const subject = await (await live([descriptor('btrfs', { create: () => Promise.resolve(freezer({ freeze: () => oops() })) })], { log })).freezer('btrfs')
    const error = await errorOf(async () => subject.freeze([], { label: 'x' }))
    expect(error).toMatchObject({ detail: expect.stringMatching(/^Cannot read properties of undefined \(reading 'list'\) \(.*collect\.test\.ts:\d+\)$/) as string })
    expect(log).toHaveBeenCalledWith('error', 'the freezer "btrfs" of a threw in freeze()', { stack: expect.stringMatching(/^TypeError: [^]*\n +at oops /) as string })
  })

  it.each([['nothing', undefined], ['a value alone', 5], ['a failure without a kind', { ok: false, failure: {} }]])('of others are named where they answer %s', async (_, answer) => {
    const subject = await (await live([descriptor('btrfs', { create: () => Promise.resolve(freezer({ canFreeze: () => Promise.resolve(answer) })) })])).freezer('btrfs')
    expect(await errorOf(() => subject.canFreeze([]))).toMatchObject({ kind: 'failed', detail: 'it returned something that is not an Answer' })
    expect(await subject.ready()).toEqual({ ok: true })
  })

  it('of others work with fields of their own', async () => {
    class Private {
      readonly #answer = { ok: true, value: undefined }
      ready = (): Promise<object> => Promise.resolve(this.#answer)
      examine(): Promise<object> { return Promise.resolve([this.#answer]) }
      canFreeze(): Promise<object> { return Promise.resolve(this.#answer) }
      freeze(): Promise<object> { return Promise.resolve(this.#answer) }
      release(): Promise<object> { return Promise.resolve(this.#answer) }
      leftovers(): Promise<object> { return Promise.resolve(this.#answer) }
      close(): Promise<void> { return Promise.resolve() }
    }
    const subject = await (await live([descriptor('btrfs', { create: () => Promise.resolve(new Private()) })])).freezer('btrfs')
    expect(await subject.canFreeze([])).toEqual({ ok: true, value: undefined })
    expect(await subject.examine()).toHaveLength(1)
  })

  it('are closed with the run, also when one of them fails at it, hangs, or was never made', async () => {
    vi.useFakeTimers()
    const closed: string[] = []
    const providers = await live([
      descriptor('bad', { create: () => Promise.resolve(freezer({ close: () => Promise.reject(new Error('stuck')) })) }),
      descriptor('hung', { create: () => Promise.resolve(freezer({ close: () => new Promise(() => {}) })) }),
      descriptor('good', { create: () => Promise.resolve(freezer({ close: () => (closed.push('good'), Promise.resolve()) })) }),
    ])
    for (const id of ['bad', 'hung', 'good']) await providers.freezer(id)
    await errorOf(() => providers.freezer('none'))
    const end = providers.close()
    await vi.advanceTimersByTimeAsync(15_000)
    await end
    await providers.close()
    expect(closed).toEqual(['good'])
  })
})
