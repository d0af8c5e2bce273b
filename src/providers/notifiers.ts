import { join } from 'node:path'

import { failed, isSecret, type Answer, type Descriptor, type Exec, type Finding, type Log, type Notifier, type Secret, type StackbkEvent, failureInOneLine } from '@stackbk/contract'

import type { NotificationSection, NotificationSettings } from '../config/configuration.js'
import { chooseProvider } from './choose.js'
import { describeError, notReady } from './findings.js'
import type { Offers } from './collect.js'
import { reasonOf, stackOf } from './thrown.js'

/** How long one notifier may take over the digest of a run, all its attempts together. */
const digestLimitMs = 30_000

/** The same for everything else, which only delays the run: a start, a stage. */
const eventLimitMs = 5_000

/** Between two attempts at what may pass by itself. */
const pausesMs = [1_000, 3_000]

/** How well what an event tells of has ended. */
export type Severity = 'good' | 'warning' | 'failure'

/** Somebody who was to be told and could not be. */
export interface Untold {
  readonly name: string
  readonly type: string
  readonly message: string
  readonly fix: string
}

export interface NotifiersOptions {
  readonly offers: Offers
  readonly settings: NotificationSettings
  readonly log: Log
  readonly exec: Exec
  readonly cacheFolder: string
  /** Where providers keep what must last, each in a folder of its own. */
  readonly dataFolder: string
}

/** The notifiers of one run: one for each `[notify:NAME]`, created when there is something to tell. */
export class Notifiers {
  readonly #options: NotifiersOptions
  readonly #live = new Map<string, Promise<Notifier>>()
  /** What they do is no part of the run: a signal that ends the run must not keep anybody from hearing of it. */
  readonly #ending = new AbortController()

  constructor(options: NotifiersOptions) {
    this.#options = options
  }

  get sections(): readonly NotificationSection[] {
    return this.#options.settings.notifications
  }

  /**
   * Tells all who want to hear it, at once, each within its limit: those that hear all of everything, the others of the digest
   * alone, as their `ON` says. Gives back who could not be told; throws nothing. `only`: of these, by their names. `recovers`:
   * those that reported a failure before this success, with its time: they receive it whatever their `ON` is.
   */
  async tell(event: StackbkEvent, severity: Severity, only: readonly string[] | null = null, recovers: ReadonlyMap<string, string> = new Map()): Promise<readonly Untold[]> {
    const sections = this.sections.filter(({ name }) => only === null || only.includes(name))
    const untold = await Promise.all(sections.map((section) => {
      const recoversFrom = recovers.get(section.name)
      return this.#tellOne(section, recoversFrom === undefined ? event : { ...event, recoversFrom }, severity)
    }))
    return untold.filter((one) => one !== null)
  }

  /** For `doctor`: each looks at itself. */
  async examine(signal: AbortSignal): Promise<readonly Finding[]> {
    const found = await Promise.all(this.sections.map(async (section): Promise<readonly Finding[]> => {
      const id = `notify.${section.name}`
      try {
        const findings = await within(digestLimitMs, signal, async (limit) => (await this.#notifier(section)).examine({ signal: limit }))
        const shown = findings.map((finding) => ({ ...finding, id: findings.length === 1 ? id : `${id}.${finding.id}` }))
        if (shown.some(({ status }) => status === 'failed')) return shown
        const ready = await within(digestLimitMs, signal, async (limit) => (await this.#notifier(section)).ready({ signal: limit }))
        return [...shown, ...notReady(id, ready)]
      } catch (error) {
        if (!(error instanceof TimeIsUp)) this.#options.log('error', `the notifier ${section.name} threw`, { type: section.type, stack: stackOf(error) })
        return [{ id, status: 'failed', found: describeError(error), needed: 'a notifier that can be checked', fix: `Correct [notify:${section.name}]` }]
      }
    }))
    return found.flat()
  }

  /** Once, after all. One that fails to close is noted and no more. */
  async close(): Promise<void> {
    for (const [name, live] of this.#live) {
      try {
        await within(eventLimitMs, null, async () => (await live).close())
      } catch (error) {
        this.#options.log('debug', `the notifier ${name} did not close`, { reason: reasonOf(error) })
      }
    }
    this.#live.clear()
    this.#ending.abort()
  }

  /** Every secret that they have been given. */
  static secretsOf(settings: NotificationSettings, offers: Offers): readonly Secret[] {
    return settings.notifications.flatMap(({ name, type }) => {
      const descriptor = offers.usable.find((offer) => offer.descriptor.kind === 'notifier' && offer.descriptor.id === type)?.descriptor
      return descriptor === undefined ? [] : Object.values(settings.settingsOf(descriptor, name)).filter(isSecret)
    })
  }

  async #tellOne(section: NotificationSection, event: StackbkEvent, severity: Severity): Promise<Untold | null> {
    const { name, type } = section
    const answer = await this.#attempts(section, event, severity)
    if (answer === null) return null
    if (answer.ok) {
      this.#options.log(event.event === 'run-finished' ? 'info' : 'debug', 'told', { notifier: name, type, event: event.event })
      return null
    }
    const { fix = '' } = answer.failure
    const message = failureInOneLine(answer.failure)
    this.#options.log('warning', 'could not tell', { notifier: name, type, event: event.event, reason: message })
    return { name, type, message, fix: fix === '' ? `Try it with: stackbk notify test ${name}` : fix }
  }

  /** `null`: this one does not want to hear of it. */
  async #attempts(section: NotificationSection, event: StackbkEvent, severity: Severity): Promise<Answer<void> | null> {
    const isDigest = event.event === 'run-finished'
    const deadline = Date.now() + (isDigest ? digestLimitMs : eventLimitMs)
    let answer: Answer<void> | null = null
    for (const pauseMs of isDigest ? [0, ...pausesMs] : [0]) {
      const leftMs = deadline - Date.now() - pauseMs
      if (answer !== null && leftMs <= 0) break
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      const now = await this.#attempt(section, event, severity, leftMs)
      // That the time ran out in the middle of another try says less than why the first one failed.
      if (answer === null || now === null || now.ok || now.failure.kind !== 'timed-out') answer = now
      else break
      if (answer === null || answer.ok || answer.failure.transient !== true) break
    }
    return answer
  }

  async #attempt(section: NotificationSection, event: StackbkEvent, severity: Severity, limitMs: number): Promise<Answer<void> | null> {
    try {
      return await within(limitMs, this.#ending.signal, async (signal) => {
        const notifier = await this.#notifier(section)
        if (notifier.hearsAll !== true && !wants(section.on, event, severity)) return null
        const answer = (await notifier.notify(event, { signal })) as Answer<void> | undefined
        return typeof answer?.ok === 'boolean' ? answer : failed({ kind: 'failed', message: `the notifier "${section.type}" did not say whether the notification was sent` })
      })
    } catch (error) {
      if (!(error instanceof TimeIsUp)) this.#options.log('error', `the notifier ${section.name} threw`, { type: section.type, event: event.event, stack: stackOf(error) })
      return failed({ kind: error instanceof TimeIsUp ? 'timed-out' : 'failed', message: reasonOf(error) })
    }
  }

  #notifier(section: NotificationSection): Promise<Notifier> {
    const existing = this.#live.get(section.name)
    if (existing !== undefined) return existing
    const created = this.#create(section)
    this.#live.set(section.name, created)
    return created
  }

  async #create({ name, type }: NotificationSection): Promise<Notifier> {
    const { offers, settings, log, exec, cacheFolder, dataFolder } = this.#options
    const descriptor: Descriptor<'notifier'> = chooseProvider(offers, 'notifier', type)
    const folder = `notify-${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`
    const [cacheDir, dataDir] = [join(cacheFolder, folder), join(dataFolder, folder)]
    return await descriptor.create(settings.settingsOf(descriptor, name), { signal: this.#ending.signal, log, exec, dryRun: false, cacheDir, dataDir })
  }
}

/** Whether `ON` asks for it. One digest a run is all that one hears who does not hear all. */
function wants(on: NotificationSection['on'], event: StackbkEvent, severity: Severity): boolean {
  if (event.event !== 'run-finished') return false
  if (event.isTest === true || event.recoversFrom !== undefined) return true
  switch (on) {
    case 'always':
      return true
    case 'warning':
      return severity !== 'good'
    case 'failure':
      return severity === 'failure'
  }
}

class TimeIsUp extends Error {}

/** Rejects when the limit is over, also where what is waited for does not listen to its signal. */
async function within<T>(limitMs: number, signal: AbortSignal | null, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController()
  const signals = AbortSignal.any([limit.signal, ...(signal === null ? [] : [signal])])
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new TimeIsUp(`it took longer than ${Math.round(limitMs / 1000)} s`))
      limit.abort()
    }, Math.max(1, limitMs))
  })
  try {
    return await Promise.race([work(signals), over])
  } finally {
    clearTimeout(timer)
  }
}
