import type { Finding } from '@stackbk/contract'
import { expect, it } from 'vitest'

import type { DoctorResult } from '../../../src/stages/doctor.js'
import { presentDoctor } from '../../../src/ui/present-doctor.js'

const finding = (id: string, status: Finding['status'], found: string): Finding => ({ id, status, found, needed: status === 'ok' ? '' : 'a plugin that loads', fix: '' })
const result = {
  checks: [finding('configuration', 'ok', '/etc/stackbk/config.ini'), finding('plugin.restic', 'ok', 'engine'), finding('plugin.rclone', 'ok', 'transport'), finding('plugin.mine', 'failed', 'it threw'), finding('schedule', 'ok', 'daily')],
  problems: [],
} as unknown as DoctorResult

it('has one line for all plugins that can be used, and a line for each that cannot', () => {
  expect(presentDoctor(result).split('\n')).toEqual([
    'ok    configuration          /etc/stackbk/config.ini',
    'ok    plugins                restic, rclone',
    'FAIL  plugin.mine            it threw',
    '      needed: a plugin that loads',
    'ok    schedule               daily',
    '',
    '1 thing is wrong',
  ])
})

it('has a line for each plugin if all is asked for', () => {
  expect(presentDoctor(result, { isVerbose: true }).split('\n').slice(1, 3)).toEqual(['ok    plugin.restic          engine', 'ok    plugin.rclone          transport'])
})
