import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { makeWorld, oneService } from '../fixtures/world.js'
import { mirrorOptions } from './options.js'

const { isFull, nights } = mirrorOptions()
const dayMs = 24 * 60 * 60 * 1000

it(`${nights} nights of ordinary retention, with a sync after each, are never refused`, async () => {
  const world = await makeWorld({ settings: { local_backup: { KEEP_WITHIN: 0, KEEP_DAILY: isFull ? 7 : 2, KEEP_WEEKLY: isFull ? 4 : 0, KEEP_MONTHLY: isFull ? 6 : 0, KEEP_YEARLY: 0, ENABLE_VERIFICATION: false } } })
  try {
    const web = await world.stack('web', { model: oneService, isUp: false })
    const restic = execFileSync('sh', ['-c', 'command -v restic'], { encoding: 'utf8' }).trim()
    // The clock of the test's own: each snapshot is of its night.
    world.fake('restic', `#!/bin/sh\ncase " $* " in *" backup "*) exec ${restic} "--time=$NIGHT" "$@";; esac\nexec ${restic} "$@"\n`)
    let gone = 0
    for (let night = nights; night > 0; night--) {
      const time = new Date(Date.now() - night * dayMs).toISOString().slice(0, 19).replace('T', ' ')
      web.write('data/blob', randomBytes(50_000))
      const saved = await world.backup([], { environment: { PATH: world.fakePath, NIGHT: time } })
      expect(saved.exitCode, JSON.stringify(saved.result.problems)).toBe(0)
      const { exitCode, result } = await world.sync()
      expect([exitCode, result.status, result.verified], JSON.stringify(result.problems)).toEqual([0, 'ok', true])
      gone += result.deleted.snapshots
    }
    const snapshots = readdirSync(join(world.repository, 'snapshots'))
    console.log(`${nights} nights: none refused, ${gone} snapshots went from the copy as they went here, ${snapshots.length} are there`)
    expect(gone).toBe(nights - snapshots.length)
    expect(gone).toBeGreaterThan(0)
    expect(readdirSync(join(world.cloud, 'snapshots')).sort()).toEqual(snapshots.sort())
    await world.check(world.cloud)
  } finally {
    await world.remove()
  }
}, isFull ? 3_600_000 : 300_000)
