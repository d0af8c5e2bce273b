import { appendFileSync } from 'node:fs'

import { afterAll, describe, expect, it } from 'vitest'

import { MirrorKills, type KillResult } from './mirror-kills.js'
import type { MirrorKind } from './mirror-remote.js'
import { mirrorOptions, victims, type Work } from './options.js'

const options = mirrorOptions()
const limitMs = options.isFull ? 3 * 3_600_000 : 300_000
const works: readonly Work[] = ['adding', 'pruning']
/** Pruning adds as well: in an ordinary run that is enough of what goes through transports that are not bundled. */
const worksOf = (kind: MirrorKind): readonly Work[] => (options.isFull || !kind.startsWith('plugin-') ? works : ['pruning'])
/** Kills that come too late prove nothing. */
const leastLanded = 0.5

const results: KillResult[] = []

afterAll(() => {
  if (options.report === null) console.log(table(results))
  else appendFileSync(options.report, `${table(results)}\n`)
})

describe(`defect 28: a sync that is killed (seed ${options.seed})`, () => {
  it.concurrent.each(options.remotes.flatMap((kind) => worksOf(kind).map((work) => [kind, work] as const)))('to %s, %s, leaves a copy that is sound, and every snapshot that it lists whole', async (kind, work) => {
    const mirror = await MirrorKills.make(kind, work, options)
    try {
      const own: KillResult[] = []
      for (let count = 0; count < options.kills; count++) {
        own.push(await mirror.kill())
        if (options.withPlain && mirror.hasPlain) results.push(await mirror.killPlain())
      }
      results.push(...own)
      const flaws = own.filter((result) => result.flaws.length > 0).map(inWords)
      expect([...flaws, ...(await mirror.finish())]).toEqual([])
      if (options.isFull) expect(own.filter(({ hasLanded }) => hasLanded).length).toBeGreaterThanOrEqual(own.length * leastLanded)
    } finally {
      await mirror.remove()
    }
  }, limitMs)
})

function inWords({ kind, work, victim, ms, flaws }: KillResult): string {
  return `${kind}, ${work}: ${victim} killed after ${ms} ms: ${flaws.join('\n    ')}`
}

function table(all: readonly KillResult[]): string {
  const row = (name: string, some: readonly KillResult[]): string => {
    const count = (test: (result: KillResult) => boolean): string => String(some.filter(test).length).padStart(9)
    return `${name.padEnd(36)}${count(() => true)}${count(({ hasLanded }) => hasLanded)}${count(({ flaws }) => flaws.length > 0)}`
  }
  const rows = options.remotes.flatMap((kind) => works.flatMap((work) => [...victims, 'plain rclone sync' as const].map((victim) => row(`${kind}, ${work}: ${victim}`, all.filter((one) => one.kind === kind && one.work === work && one.victim === victim)))))
  const ours = all.filter(({ victim }) => victim !== 'plain rclone sync')
  return [
    `${''.padEnd(36)}    kills   landed   broken   (seed ${options.seed})`,
    ...rows,
    row('stackbk sync', ours),
    row('plain rclone sync', all.filter((one) => !ours.includes(one))),
  ].join('\n')
}
