import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'

import { configurationSchema } from '../../../src/config/schema.js'
import { descriptors } from './fixtures.js'

/** What users write in their files, by the contract: names that are gone break them. */
const keys = {
  docker: ['DOCKER_STACKS_DIR', 'STACKS_DIR', 'DOCKER_TIMEOUT', 'TIMEOUT', 'STOP_MODE', 'HEALTH_TIMEOUT', 'WARM_PASS', 'FREEZE', 'MAX_DOWNTIME', 'DIRLIST', 'RUNTIME'],
  local_backup: ['RESTIC_REPOSITORY', 'REPOSITORY', 'RESTIC_PASSWORD_FILE', 'PASSWORD_FILE', 'RESTIC_PASSWORD_COMMAND', 'PASSWORD_COMMAND', 'RESTIC_PASSWORD', 'PASSWORD', 'BACKUP_TIMEOUT', 'STALL_TIMEOUT', 'HOSTNAME', 'KEEP_LAST', 'KEEP_DAILY', 'KEEP_WEEKLY', 'KEEP_MONTHLY', 'KEEP_YEARLY', 'AUTO_INIT', 'AUTO_PRUNE', 'ENABLE_VERIFICATION', 'VERIFICATION_DEPTH', 'INCLUDE_VOLUMES', 'INCLUDE_BINDS', 'IGNORE_MOUNTS', 'SHRINK_GUARD', 'MAX_AGE', 'ENGINE'],
  cloud_sync: ['PROVIDER', 'RCLONE_REMOTE', 'REMOTE', 'RCLONE_PATH', 'PATH', 'RCLONE_CONFIG', 'TRANSFERS', 'RCLONE_TRANSFERS', 'RETRIES', 'RCLONE_RETRIES', 'BANDWIDTH', 'RCLONE_BANDWIDTH', 'SYNC_TIMEOUT', 'RESTORE_TIMEOUT', 'MAX_DELETE', 'TRASH_DAYS'],
  drill: ['PROBE', 'PROBE_TIMEOUT', 'SAMPLE_FILES', 'PARALLEL_STACKS'],
} as const
const stackKeys = ['STOP_MODE', 'EXCLUDE', 'INCLUDE_VOLUMES', 'INCLUDE_BINDS', 'IGNORE_MOUNTS', 'WARM_PASS', 'FREEZE', 'MAX_DOWNTIME', 'SHRINK_GUARD', 'PROBE']

const schema = configurationSchema(descriptors) as { readonly properties: Record<string, { readonly properties: object }>; readonly patternProperties: Record<string, { readonly properties: object }> }
const accepts = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema)

describe('the schema of the configuration', () => {
  it.each(Object.entries(keys))('knows every key of [%s]', (section, names) => {
    expect(Object.keys(schema.properties[section]?.properties ?? {})).toEqual(expect.arrayContaining([...names]))
  })

  it('knows every key of [stack:NAME]', () => {
    expect(Object.keys(schema.patternProperties['^stack:.+$']?.properties ?? {})).toEqual(expect.arrayContaining(stackKeys))
  })

  it.each([
    ['nothing', {}],
    ['what a file has as text', { docker: { DOCKER_TIMEOUT: '5m', STOP_MODE: 'auto', WARM_PASS: 'true' }, local_backup: { RESTIC_REPOSITORY: '/r', KEEP_DAILY: '7', SHRINK_GUARD: '50 %' }, 'stack:my web': { EXCLUDE: '*.log, cache' } }],
    ['numbers', { local_backup: { KEEP_DAILY: 7, SHRINK_GUARD: 50, BACKUP_TIMEOUT: 'none' } }],
  ])('takes %s', (_, configuration) => {
    expect(accepts(configuration), JSON.stringify(accepts.errors)).toBe(true)
  })

  it.each([
    ['a section that there is not', { docke: {} }],
    ['a key that there is not', { docker: { STACK_DIR: '/x' } }],
    ['another choice', { docker: { STOP_MODE: 'sideways' } }],
    ['a word for a number', { local_backup: { KEEP_DAILY: 'seven' } }],
    ['a time without sense', { docker: { DOCKER_TIMEOUT: 'soon' } }],
    ['a key for all stacks in one of them', { 'stack:web': { KEEP_DAILY: 7 } }],
  ])('refuses %s', (_, configuration) => expect(accepts(configuration)).toBe(false))
})
