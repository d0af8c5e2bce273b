import { expect, it } from 'vitest'

import type { BackupResult } from '../../../src/stages/backup/backup-result.js'
import { localTime } from '../../../src/ui/local-time.js'
import { presentBackup } from '../../../src/ui/present-backup.js'
import { wrapped } from '../../../src/ui/text-width.js'

const time = '2026-01-02T03:04:05.000Z'
const stack = { name: 'web', status: 'ok', stateBefore: 'running', stopMode: 'down', snapshot: null, downtimeMs: null }
const result = (more: object): BackupResult => ({ status: 'ok', dryRun: false, durationMs: 1000, retention: { status: 'skipped', removed: 0 }, problems: [], stacks: [stack], ...more }) as unknown as BackupResult

it('shows each path of a dry run on a line of its own, however long it is', () => {
  const long = `/var/lib/docker/volumes/${'a-very-long-name-of-a-volume'.repeat(3)}/_data`
  const preview = { freezer: null, paths: ['/srv/stacks/web', long], excludes: ['*.tmp', 'cache'], excludedPaths: ['/srv/stacks/web/repository'], lastSnapshot: { id: '0123456789', time, bytes: 1536, files: 1 } }
  const shown = presentBackup(result({ dryRun: true, stacks: [{ ...stack, preview }, { ...stack, name: 'off', stopMode: 'none', preview: { ...preview, paths: ['/srv/stacks/off'], excludes: [], excludedPaths: [], lastSnapshot: null } }] }))
  expect(wrapped(shown, 80).split('\n')).toEqual([
    'STACK  RESULT  STATE    MODE',
    'web    ok      running  down',
    'off    ok      running  none',
    '',
    'web: would stop it (down), read this, and start it again',
    '  /srv/stacks/web',
    `  ${long}`,
    '  without /srv/stacks/web/repository',
    '  without EXCLUDE: *.tmp, cache',
    `  last snapshot: 01234567 of ${localTime(time)}, 1.5 KiB in 1 file`,
    '',
    'off: would stop nothing and read',
    '  /srv/stacks/off',
    '  last snapshot: none',
    '',
    'dry run: nothing was changed',
  ])
})

it('says nothing of forgotten snapshots where none was forgotten', () => {
  expect(presentBackup(result({ retention: { status: 'ok', removed: 0 } }))).toMatch(/backup ok: 1 of 1 stack in 1\.0 s$/)
  expect(presentBackup(result({ retention: { status: 'ok', removed: 1, forgotten: [{ id: '0123456789', time, stack: 'web' }] } }))).toMatch(new RegExp(`1 old snapshot forgotten:\\n {2}web: 01234567 \\(${localTime(time)}\\)$`))
})
