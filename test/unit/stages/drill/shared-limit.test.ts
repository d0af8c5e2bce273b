import { setImmediate as turn } from 'node:timers/promises'

import { describe, expect, it } from 'vitest'

import { SharedLimit, type Amounts, type Share } from '../../../../src/stages/drill/shared-limit.js'

/** Requests shares, and knows which were granted so far. */
function requests(limits: Amounts<'stacks' | 'disk'>) {
  const limit = new SharedLimit(limits)
  const granted = new Map<string, Share>()
  const waited: string[] = []
  const refused: string[] = []
  return {
    limit,
    waited,
    refused,
    ask: (name: string, needed: Amounts<'stacks' | 'disk'> | 'all', signal = new AbortController().signal): void => {
      limit.request(needed, { signal, onWait: () => waited.push(name) }).then((share) => granted.set(name, share), () => refused.push(name))
    },
    release: (name: string, kept = false): void => granted.get(name)!.release({ kept }),
    granted: async (): Promise<string[]> => {
      await turn()
      return [...granted.keys()]
    },
  }
}

describe('a shared limit', () => {
  it('grants what fits at the same time, and the next one when enough is given back', async () => {
    const { ask, release, granted, waited } = requests({ stacks: 2, disk: 100 })
    for (const name of ['a', 'b', 'c']) ask(name, { stacks: 1, disk: 1 })
    expect(await granted()).toEqual(['a', 'b'])
    expect(waited).toEqual(['c'])
    release('b')
    expect(await granted()).toEqual(['a', 'b', 'c'])
  })

  it('limits each of the amounts, and lets nothing small overtake', async () => {
    const { ask, release, granted } = requests({ stacks: 9, disk: 100 })
    ask('a', { stacks: 1, disk: 60 })
    ask('large', { stacks: 1, disk: 50 })
    ask('small', { stacks: 1, disk: 1 })
    expect(await granted()).toEqual(['a'])
    release('a')
    expect(await granted()).toEqual(['a', 'large', 'small'])
  })

  it('grants one alone whatever it needs', async () => {
    const { ask, release, granted } = requests({ stacks: 2, disk: 100 })
    ask('huge', { stacks: 1, disk: 1000 })
    ask('next', { stacks: 1, disk: 1 })
    expect(await granted()).toEqual(['huge'])
    release('huge')
    expect(await granted()).toEqual(['huge', 'next'])
  })

  it('counts what is kept, and still grants one after another', async () => {
    const { ask, release, granted } = requests({ stacks: 9, disk: 100 })
    ask('kept', { stacks: 0, disk: 90 })
    expect(await granted()).toEqual(['kept'])
    release('kept', true)
    ask('a', { stacks: 1, disk: 20 })
    ask('b', { stacks: 1, disk: 20 })
    expect(await granted()).toEqual(['kept', 'a'])
    release('a')
    expect(await granted()).toEqual(['kept', 'a', 'b'])
  })

  it('grants all of it when nobody else has a share, and lets nobody in meanwhile', async () => {
    const { ask, release, granted } = requests({ stacks: 3, disk: 100 })
    ask('a', { stacks: 1, disk: 1 })
    ask('alone', 'all')
    ask('b', { stacks: 1, disk: 1 })
    expect(await granted()).toEqual(['a'])
    release('a')
    expect(await granted()).toEqual(['a', 'alone'])
    release('alone')
    expect(await granted()).toEqual(['a', 'alone', 'b'])
  })

  it('counts a share once, however often it is given back', async () => {
    const { ask, release, granted, limit } = requests({ stacks: 1, disk: 100 })
    for (const name of ['a', 'b', 'c']) ask(name, { stacks: 1, disk: 1 })
    expect(await granted()).toEqual(['a'])
    release('a')
    release('a')
    expect(await granted()).toEqual(['a', 'b'])
    expect(limit.holders).toBe(1)
  })

  it('lets go of one that waits when its signal aborts, and lets the next one in', async () => {
    const controller = new AbortController()
    const { ask, granted, refused } = requests({ stacks: 2, disk: 100 })
    ask('a', { stacks: 1, disk: 60 })
    ask('large', { stacks: 1, disk: 60 }, controller.signal)
    ask('small', { stacks: 1, disk: 1 })
    expect(await granted()).toEqual(['a'])
    controller.abort(new Error('interrupted'))
    expect(await granted()).toEqual(['a', 'small'])
    expect(refused).toEqual(['large'])
  })
})
