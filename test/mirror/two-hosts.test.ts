import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import type { BackupResult } from '../../src/stages/backup/backup-result.js'
import { makeWorld, oneService } from '../fixtures/world.js'
import { mirrorOptions } from './options.js'

const { isFull, nights } = mirrorOptions()
const dayMs = 24 * 60 * 60 * 1000

it(`${nights} nights of two hosts in one repository, of which one mirrors it, are never refused, and nothing stays in the copy that both have forgotten`, async () => {
  const keep = { KEEP_WITHIN: 0, KEEP_DAILY: isFull ? 7 : 1, KEEP_WEEKLY: isFull ? 4 : 0, KEEP_MONTHLY: 0, KEEP_YEARLY: 0 }
  const world = await makeWorld({ settings: { local_backup: { ...keep, ENABLE_VERIFICATION: false } } })
  try {
    const web = await world.stack('web', { model: oneService, isUp: false })
    const mail = await world.stack('mail', { model: oneService, isUp: false, isEnabled: false })
    // The other host: its own stacks, state and hostname, the same repository, and no cloud.
    const other = { root: join(world.root, 'other'), stacks: join(world.root, 'other', 'stacks'), config: join(world.root, 'other', 'config.ini') }
    mkdirSync(other.stacks, { recursive: true })
    renameSync(mail.directory, join(other.stacks, 'mail'))
    writeFileSync(join(other.root, 'dirlist'), 'mail=true\n')
    const text = readFileSync(world.config, 'utf8').replaceAll(world.stacks, other.stacks).replaceAll(world.dirlist, join(other.root, 'dirlist'))
    writeFileSync(other.config, /^HOSTNAME=/m.test(text) ? text.replace(/^HOSTNAME=.*$/m, 'HOSTNAME=otherhost') : text.replace('[local_backup]', '[local_backup]\nHOSTNAME=otherhost'), { mode: 0o600 })
    const restic = execFileSync('sh', ['-c', 'command -v restic'], { encoding: 'utf8' }).trim()
    // The clock of the test's own: each snapshot is of its night.
    world.fake('restic', `#!/bin/sh\ncase " $* " in *" backup "*) exec ${restic} "--time=$NIGHT" "$@";; esac\nexec ${restic} "$@"\n`)
    const snapshotsIn = (folder: string): string[] => readdirSync(join(folder, 'snapshots'))
    let [gone, late] = [0, [] as string[]]
    for (let night = nights; night > 0; night--) {
      const environment = { PATH: world.fakePath, NIGHT: new Date(Date.now() - night * dayMs).toISOString().slice(0, 19).replace('T', ' ') }
      web.write('data/blob', randomBytes(20_000))
      writeFileSync(join(other.stacks, 'mail', 'blob'), randomBytes(20_000))
      // In turn: the other host forgets before the mirror's backup in one night, after its sync in the next.
      const backUpOther = async (): Promise<void> => {
        const saved = await world.json<BackupResult>(['backup'], { config: other.config, environment: { ...environment, STACKBK_STATE_DIR: join(other.root, 'state') } })
        expect([saved.exitCode, saved.result.problems], saved.stderr).toEqual([0, []])
      }
      if (night % 2 === 0) await backUpOther()
      expect((await world.backup(['web'], { environment })).exitCode).toBe(0)
      const { exitCode, result } = await world.sync()
      expect([exitCode, result.status, result.verified], JSON.stringify(result.problems)).toEqual([0, 'ok', true])
      gone += result.deleted.snapshots
      const here = snapshotsIn(world.repository)
      expect(here.filter((id) => !snapshotsIn(world.cloud).includes(id))).toEqual([])
      expect(late.filter((id) => snapshotsIn(world.cloud).includes(id))).toEqual([])
      late = snapshotsIn(world.cloud).filter((id) => !here.includes(id))
      if (night % 2 === 1) await backUpOther()
    }
    console.log(`${nights} nights of two hosts: none refused, ${gone} snapshots went from the copy, ${snapshotsIn(world.cloud).length} are there`)
    expect(gone).toBeGreaterThan(0)
    await world.check(world.cloud)
  } finally {
    await world.remove()
  }
}, isFull ? 7_200_000 : 600_000)
