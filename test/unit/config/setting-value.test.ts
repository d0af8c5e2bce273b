import { isSecret, type SettingDeclaration } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { describeRange, readSetting, writeSetting } from '../../../src/config/setting-value.js'

const place = { folder: '/etc/stackbk', home: '/home/ann', credentials: '/run/credentials/stackbk.service' }
const declared = (part: Partial<SettingDeclaration> & Pick<SettingDeclaration, 'type'>): SettingDeclaration => ({ section: 's', key: 'K', help: 'h', ...part })
const read = (part: Partial<SettingDeclaration> & Pick<SettingDeclaration, 'type'>, text: string): unknown => {
  const reading = readSetting(declared(part), text, place)
  return reading.status === 'good' ? reading.value : reading.status
}

describe('a setting', () => {
  it.each([
    [{ type: 'string' }, 'a b', 'a b'],
    [{ type: 'string', pattern: { matches: '^(/|sftp:)', inWords: 'a place' } }, 'sftp:x', 'sftp:x'],
    [{ type: 'string', pattern: { matches: '^(/|sftp:)', inWords: 'a place' } }, './x', 'bad'],
    [{ type: 'path' }, '/x/../y/', '/y'],
    [{ type: 'path' }, '~/x', '/home/ann/x'],
    [{ type: 'path' }, '~', '/home/ann'],
    [{ type: 'path' }, 'dirlist', '/etc/stackbk/dirlist'],
    [{ type: 'path' }, '~bob/x', 'bad'],
    [{ type: 'path' }, '$HOME/x', 'bad'],
    [{ type: 'path', credential: true }, 'credential:restic', '/run/credentials/stackbk.service/restic'],
    [{ type: 'path', credential: true }, 'credential:../x', 'bad'],
    [{ type: 'path', credential: true }, 'credential:..', 'bad'],
    [{ type: 'integer' }, '12', 12],
    [{ type: 'integer' }, '1.5', 'bad'],
    [{ type: 'integer' }, '0x10', 'bad'],
    [{ type: 'integer', range: { min: 1, max: 3 } }, '4', 'bad'],
    [{ type: 'boolean' }, 'Yes', true],
    [{ type: 'boolean' }, 'OFF', false],
    [{ type: 'boolean' }, 'ja', 'bad'],
    [{ type: 'choice', choices: ['auto', 'down'] }, 'DOWN', 'down'],
    [{ type: 'choice', choices: ['auto', 'true', 'false'] }, 'yes', 'true'],
    [{ type: 'choice', choices: ['auto'] }, 'up', 'bad'],
    [{ type: 'duration', default: 1 }, '300', 300_000],
    [{ type: 'duration', default: 1 }, '15m', 900_000],
    [{ type: 'duration', default: 1 }, '26 h', 93_600_000],
    [{ type: 'duration', default: 1 }, '2D', 172_800_000],
    [{ type: 'duration', default: 1 }, '1w', 'bad'],
    [{ type: 'duration', default: 1 }, '0', 0],
    [{ type: 'duration' }, '0', null],
    [{ type: 'duration' }, 'none', null],
    [{ type: 'duration', default: 1 }, 'none', 'bad'],
    [{ type: 'percentage' }, '50 %', 50],
    [{ type: 'percentage' }, '50', 50],
    [{ type: 'percentage', range: { min: 0, max: 100 } }, '101', 'bad'],
    [{ type: 'list' }, 'a, b c ,"d,e", \'f\'', ['a', 'b c', 'd,e', 'f']],
    [{ type: 'list' }, 'a', ['a']],
  ] as const)('%o reads %s as %o', (declaration, text, value) => {
    expect(read(declaration, text)).toEqual(value)
  })

  it('that names a credential is unavailable outside a systemd unit, not wrong', () => {
    const reading = readSetting(declared({ type: 'path', credential: true }), 'credential:restic', { ...place, credentials: null })
    expect(reading.status).toBe('unavailable')
  })

  it('that is secret never shows itself', () => {
    const value = read({ type: 'string', secret: true }, 'hunter2')
    expect(isSecret(value)).toBe(true)
    expect(JSON.stringify({ value })).not.toContain('hunter2')
  })

  it.each(['CHANGE_ME', 'changeme', 'change-me!', 'CHANGE_ME_TO_A_LONG_ONE', 'your-password-here', 'YOUR_PASSWORD', '<password>', 'xxx', '...', 'password_here', '********'])(
    'that is secret is refused where it still says %s',
    (text) => {
      expect(read({ type: 'string', secret: true }, text)).toBe('bad')
    },
  )

  it.each(['secret', 'hello', 'wrong', 'your cat is asleep', 'change it every day', 'x', 'tr0ub4dor&3', 'changement'])('that is secret may be %s', (text) => {
    expect(isSecret(read({ type: 'string', secret: true }, text))).toBe(true)
  })

  it('says its range and its value as they stand in the file', () => {
    const duration = declared({ type: 'duration', range: { min: 1000, max: 86_400_000 } })
    expect(describeRange(duration)).toBe('between 1s and 24h')
    expect(writeSetting(duration, 93_600_000)).toBe('26h')
    expect(writeSetting(declared({ type: 'percentage' }), 50)).toBe('50 %')
    expect(writeSetting(declared({ type: 'list' }), ['a', 'b,c'])).toBe('a, "b,c"')
    expect(writeSetting(declared({ type: 'string' }), null)).toBe('')
  })
})
