import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { checkConfiguration } from '../../../src/config/configuration.js'
import { stateFolder } from '../../../src/host/state-folder.js'
import { readDirlist } from '../../../src/stacks/dirlist.js'
import { stackKey } from '../../../src/stacks/identity.js'
import { rememberStack } from '../../../src/stacks/stack-memory.js'
import { overview } from '../../../src/stages/overview.js'
import { recordLine } from '../../../src/stages/schedule/record.js'
import { at } from './fixtures.js'

const now = Date.parse('2026-01-10T12:00:00Z')
const hour = 3_600_000

function world(dirlist: string, history: readonly object[]): { readonly overview: () => ReturnType<typeof overview>; readonly remember: (name: string, ageMs: number) => void; readonly schedule: () => void } {
  const root = at(`overview-${Math.random().toString(36).slice(2)}`)
  const state = stateFolder({ STACKBK_STATE_DIR: join(root, 'state') })
  for (const name of ['web', 'db', 'off']) {
    mkdirSync(join(root, 'stacks', name), { recursive: true })
    writeFileSync(join(root, 'stacks', name, 'compose.yaml'), '')
  }
  mkdirSync(join(root, 'state'))
  writeFileSync(join(root, 'dirlist'), dirlist)
  writeFileSync(state.history, history.map((run) => `${JSON.stringify({ runId: 'x', problems: [], exitCode: 0, durationMs: 1, ...run })}\n`).join(''))
  const text = `[docker]\nDOCKER_STACKS_DIR=${join(root, 'stacks')}\n[local_backup]\nHOSTNAME=here\n`
  const configuration = checkConfiguration({ file: join(root, 'config.ini'), exists: true, text, mode: 0o600, environment: {}, descriptors: [], needs: [] })
  return {
    overview: () => overview(configuration, state, now, { XDG_CONFIG_HOME: root }),
    schedule: () => {
      mkdirSync(join(root, 'systemd', 'user'), { recursive: true })
      writeFileSync(join(root, 'systemd', 'user', 'stackbk.timer'), `${recordLine({ schemaVersion: 1, at: 'daily', configuration: configuration.file, sync: true, program: [], dataFolder: '/' })}\n`)
    },
    remember: (name, ageMs) => {
      const stack = readDirlist({ file: join(root, 'dirlist'), stacksDirectory: join(root, 'stacks') }).stacks.find((each) => each.name === name)?.stack
      if (!stack) throw new Error(`no stack ${name}`)
      rememberStack(state.stacks, stackKey(stack), { schemaVersion: 1, name, directory: stack.directory, lastGood: { id: 'a', time: new Date(now - ageMs).toISOString(), repositoryId: 'r', files: 1, bytes: 1 }, lastDowntimeMs: null, lastReadyMs: null })
    },
  }
}
const ran = (command: string, ageMs: number, more: object = {}): object => ({ command, status: 'ok', startedAt: new Date(now - ageMs - 1000).toISOString(), finishedAt: new Date(now - ageMs).toISOString(), ...more })

describe('how the host stands', () => {
  it('is told of its own notes: what is on, the last runs, what is overdue', () => {
    const host = world('web=true\ndb=true\n', [ran('backup', 50 * hour), ran('run', 3 * hour, { status: 'partial', sync: { status: 'ok' } }), ran('sync', 2 * hour, { status: 'failed' }), ran('verify', hour)])
    host.remember('web', 3 * hour)
    host.remember('db', 30 * hour)
    host.schedule()
    expect(host.overview()).toEqual({
      host: 'here',
      stacks: { enabled: 2, known: 3 },
      lastBackup: { ageMs: 3 * hour, status: 'partial' },
      lastSync: { ageMs: 3 * hour },
      lastSyncFailed: { ageMs: 2 * hour },
      overdue: [{ name: 'db', ageMs: 30 * hour }],
      hasSchedule: true,
      leftStopped: [],
    })
  })

  it('is nothing yet on a new host, where what is on is overdue', () => {
    const host = world('web=true\n', [])
    expect(host.overview()).toMatchObject({ lastBackup: null, lastSync: null, overdue: [{ name: 'web', ageMs: null }] })
  })
})
