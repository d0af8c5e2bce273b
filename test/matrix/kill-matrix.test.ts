import { appendFileSync } from 'node:fs'

import { afterAll, describe, expect, it } from 'vitest'

import { KillMatrix, kinds, type KillResult } from './kill-matrix.js'
import { matrixOptions } from './options.js'

const options = matrixOptions()
/** For what hangs: each kill has limits of its own. The sample takes two minutes, and on a machine with a load of twenty more than five. */
const limitMs = options.isFull ? 8 * 3_600_000 : 1_800_000
/** A matrix of kills that come too late proves nothing. */
const leastLanded = 0.7

const results: KillResult[] = []

afterAll(() => {
  if (options.report === null) console.log(table(results))
  else appendFileSync(options.report, `${table(results)}\n`)
})

describe(`a backup that is killed (seed ${options.seed})`, () => {
  it.concurrent.each(options.modes)('in mode %s leaves nothing down, nothing lost and nothing behind', async (mode) => {
    const matrix = await KillMatrix.make(mode, options)
    const flaws: string[] = []
    try {
      const plan = matrix.plan()
      if (options.isVerbose) console.log(`${mode}: ${matrix.steps.length} steps: ${matrix.steps.join(' → ')}`)
      const own: KillResult[] = []
      for (const kill of plan) {
        const result = await matrix.kill(kill)
        results.push(result)
        own.push(result)
        if (options.isVerbose) console.log(`${own.length}/${plan.length} ${inWords(result)}`)
        if (result.flaws.length > 0) flaws.push(inWords(result))
      }
      flaws.push(...(await matrix.finish()))
      expect(flaws).toEqual([])
      expect(own.filter(({ hasLanded }) => hasLanded).length).toBeGreaterThanOrEqual(own.length * leastLanded)
    } finally {
      await matrix.remove()
    }
  }, limitMs)
})

function inWords({ kill, hasLanded, flaws }: KillResult): string {
  const when = 'step' in kill.moment ? `at "${kill.moment.step}"` : `after ${kill.moment.ms} ms`
  const how = kill.kind.startsWith('KILL') ? `, ${kill.recovery}` : ''
  return `${kill.mode}: ${kill.kind} ${when}${hasLanded ? '' : ' (too late)'}${how}: ${flaws.length === 0 ? 'recovered' : `NOT RECOVERED: ${flaws.join('\n    ')}`}`
}

function table(all: readonly KillResult[]): string {
  const row = (name: string, some: readonly KillResult[]): string => {
    const count = (test: (result: KillResult) => boolean): string => String(some.filter(test).length).padStart(9)
    return `${name.padEnd(18)}${count(() => true)}${count(({ hasLanded }) => hasLanded)}${count(({ flaws }) => flaws.length === 0)}`
  }
  const rows = options.modes.flatMap((mode) => kinds.map((kind) => row(`${mode} ${kind}`, all.filter(({ kill }) => kill.mode === mode && kill.kind === kind))))
  const recovered = all.filter(({ flaws }) => flaws.length === 0).length
  return [
    `${''.padEnd(18)}    kills   landed recovered   (seed ${options.seed})`,
    ...rows,
    row('all', all),
    `${all.length} kills, ${all.filter(({ hasLanded }) => hasLanded).length} landed, ${recovered} recovered, ${all.length - recovered} not`,
  ].join('\n')
}
