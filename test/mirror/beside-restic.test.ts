import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passTime } from 'node:timers/promises'

import { expect, it } from 'vitest'

import { makeWorld } from '../fixtures/world.js'
import { mirrorOptions } from './options.js'

const options = mirrorOptions()
const mostPauseMs = 8000

it('a sync beside another restic that backs up, forgets and prunes again and again leaves a sound copy each time', async () => {
  const world = await makeWorld()
  const source = join(world.root, 'source')
  mkdirSync(source)
  const change = async (): Promise<void> => {
    writeFileSync(join(source, 'blob'), randomBytes(1_000_000))
    await world.restic('--retry-lock', '1m', 'backup', '--host', 'testhost', '--tag', 'stackbk,stack:web', source)
    await world.restic('--retry-lock', '1m', 'forget', '--keep-last', '3', '--prune', '--max-unused', '0')
  }
  try {
    await change()
    const stop = new AbortController()
    let changes = 0
    const beside = (async () => {
      for (; !stop.signal.aborted; changes++) {
        await change()
        // Sometimes at once, sometimes long enough for a whole sync.
        await passTime(Math.random() * mostPauseMs, undefined, { signal: stop.signal }).catch(() => {})
      }
    })()
    const codes: number[] = []
    const words: string[] = []
    const unsound: string[] = []
    try {
      for (let count = 0; count < options.besideRestic; count++) {
        // The snapshots that it forgets are none that stackbk forgot: without the flag nothing would ever be deleted.
        const { exitCode, stdout } = await world.run(['sync', '--json', ...(count % 3 === 0 ? [] : ['--allow-delete'])])
        codes.push(exitCode)
        words.push(`${exitCode} ${/"code": ?"([a-z-]+)"/.exec(stdout)?.[1] ?? ''}`.trim())
        if (!readdirSync(join(world.root, 'remote')).includes('backup')) continue
        await world.restic('-r', world.cloud, '--no-cache', '--no-lock', 'check', '--read-data').catch((error: unknown) => unsound.push(`${count}: ${exitCode} ${stdout}: ${String((error as { stderr?: string }).stderr ?? error)}`))
      }
    } finally {
      stop.abort()
      await beside
    }
    console.log(`${codes.length} syncs beside ${changes} changes by restic, ${unsound.length} unsound; ended with: ${words.join(', ')}`)
    expect(unsound).toEqual([])
    // 1: the list never held still; 11: the repository was locked for too long. Never that a file is rotten.
    expect(codes.filter((code) => ![0, 1, 7, 11].includes(code))).toEqual([])
    expect((await world.run(['sync', '--allow-delete'])).exitCode).toBe(0)
    await world.check(world.cloud)
  } finally {
    await world.remove()
  }
}, options.isFull ? 3_600_000 : 300_000)
