import type { Finding } from '@stackbk/contract'
import { expect, it } from 'vitest'

import type { DoctorResult } from '../../../src/stages/doctor.js'
import { presentDoctor } from '../../../src/ui/present-doctor.js'

const finding = (id: string, status: Finding['status'], found: string): Finding => ({ id, status, found, needed: status === 'ok' ? '' : 'a plugin that loads', fix: '' })
const result = {
  checks: [finding('configuration', 'ok', '/etc/stackbk/config.ini'), finding('plugin.restic', 'ok', 'engine'), finding('plugin.rclone', 'ok', 'transport'), finding('plugin.mine', 'failed', 'it threw'), finding('schedule', 'ok', 'daily'), finding('stacks.enabled', 'warning', 'none')],
  problems: [],
} as unknown as DoctorResult

it('counts the usable plugins in one line, and ends with the warnings and then the failures', () => {
  expect(presentDoctor(result).split('\n')).toEqual([
    'ok    configuration          /etc/stackbk/config.ini',
    'ok    plugins                2',
    'ok    schedule               daily',
    '',
    'warn  stacks.enabled         none',
    '      needed: a plugin that loads',
    '',
    'FAIL  plugin.mine            it threw',
    '      needed: a plugin that loads',
    '',
    '1 check failed, 1 warning',
  ])
})

it('says that everything is in place if nothing failed, and counts the warnings', () => {
  const checks = result.checks.filter(({ status }) => status !== 'failed')
  expect(presentDoctor({ ...result, checks }).split('\n').at(-1)).toBe('everything needed is in place, 1 warning')
  expect(presentDoctor({ ...result, checks: checks.filter(({ status }) => status === 'ok') }).split('\n').at(-1)).toBe('everything needed is in place')
})

it('has a line for each plugin if all is asked for', () => {
  expect(presentDoctor(result, { isVerbose: true }).split('\n').slice(1, 3)).toEqual(['ok    plugin.restic          engine', 'ok    plugin.rclone          transport'])
})
