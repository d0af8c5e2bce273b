import { describe, expect, it } from 'vitest'

import { configurationSchema } from '../../../src/config/schema.js'
import { shownSettings } from '../../../src/config/show.js'
import { at, descriptors, load } from './fixtures.js'

describe('the configuration as it is shown', () => {
  const shown = (text: string, environment: Record<string, string> = {}): Map<string, [string | null, string]> =>
    new Map(shownSettings(load(text, { environment })).map(({ section, key, value, origin }) => [`${section}/${key}`, [value, origin]]))

  it('has every effective value with its origin', () => {
    const settings = shown('[docker]\nTIMEOUT=5\n[stack:web]\nEXCLUDE="a", b\n', { RCLONE_CONFIG: '/env/rclone.conf' })
    expect(settings.get('docker/DOCKER_TIMEOUT')).toEqual(['5s', `${at('config.ini')}:2`])
    expect(settings.get('local_backup/MAX_AGE')).toEqual(['26h', 'default'])
    expect(settings.get('local_backup/HOSTNAME')?.[0]).not.toBeNull()
    expect(settings.get('cloud_sync/RCLONE_CONFIG')).toEqual(['/env/rclone.conf', 'environment RCLONE_CONFIG'])
    expect(settings.get('cloud_sync/SYNC_TIMEOUT')).toEqual([null, 'default'])
    expect(settings.get('stack:web/EXCLUDE')).toEqual(['a, b', `${at('config.ini')}:4`])
  })

  it('never has a secret in it, also not within an address', () => {
    const settings = shown('[local_backup]\nRESTIC_REPOSITORY=rest:https://ann:hunter2@host/x\nRESTIC_PASSWORD=hunter3\nRESTIC_PASSWORD_FILE=/p\n[notify:n]\nURL=https://hc.example/hunter4\nTYPE=ping\n')
    expect(JSON.stringify([...settings])).not.toMatch(/hunter\d/)
    expect(settings.get('local_backup/RESTIC_REPOSITORY')?.[0]).toBe('rest:https://ann:********@host/x')
    expect(settings.get('local_backup/RESTIC_PASSWORD')).toEqual([null, `${at('config.ini')}:3, overruled by RESTIC_PASSWORD_FILE`])
    expect(settings.get('notify:n/URL')?.[0]).toBe('********')
  })
})

it('the schema knows every key that the core and the plugins declare', () => {
  const schema = configurationSchema(descriptors) as { properties: Record<string, { properties: Record<string, unknown> }>; patternProperties: Record<string, { properties: object }> }
  expect(Object.keys(schema.properties)).toEqual(['docker', 'local_backup', 'cloud_sync', 'drill'])
  expect(schema.properties['local_backup']?.properties['RESTIC_PASSWORD']).toMatchObject({ writeOnly: true })
  expect(schema.properties['local_backup']?.properties['KEEP_DAILY']).toMatchObject({ type: ['integer', 'string'], minimum: 0, default: 7 })
  expect(schema.properties['cloud_sync']?.properties['PATH']).toMatchObject({ description: 'the same as RCLONE_PATH' })
  expect(Object.keys(schema.patternProperties['^notify:.+$']?.properties ?? {})).toContain('TEMPLATE')
  expect(Object.keys(schema.patternProperties['^stack:.+$']?.properties ?? {})).toContain('EXCLUDE')
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema)
})
