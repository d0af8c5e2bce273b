import { expect, test } from 'vitest'

import { settings } from '../src/settings.js'

const takes = (key: string, value: string): boolean => {
  const setting = settings.find((one) => one.key === key)
  if (setting === undefined || !('pattern' in setting)) throw new Error(`${key} has no pattern`)
  return new RegExp(setting.pattern.matches).test(value)
}

test.each([
  ['HOST', ['nas', 'nas.example.net', '192.168.1.2', 'fe80::1%eth0', '::1', 'my_nas'], ['', '-oProxyCommand=reboot', 'nas;reboot', 'user@nas', 'nas/', 'a b']],
  ['USER', ['backup', 'DOMAIN\\backup', 'back.up-1'], ['', '-l', 'a b', 'a@b', 'a:b']],
  ['FOLDER', ['/', '/volume1/my backup/restic', '/ü'], ['', 'relative', '~/restic', '/a*', '/a[b]', '/a\nb']],
  ['RSYNC_PATH', ['/opt/bin/rsync', 'sudo rsync', 'rsync3'], ['', '$(reboot)', 'rsync; reboot', '`reboot`', 'a|b']],
])('%s takes %j and not %j', (key, good, bad) => {
  expect(good.filter((value) => !takes(key, value))).toEqual([])
  expect(bad.filter((value) => takes(key, value))).toEqual([])
})

test('its own keys have its own section, and the one that it shares is declared as rclone declares it', () => {
  expect(settings.filter(({ section }) => section !== 'plugin:rsync').map(({ section, key, type }) => [section, key, type])).toEqual([['cloud_sync', 'BANDWIDTH', 'string']])
})
