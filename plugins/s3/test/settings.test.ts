import { expect, test } from 'vitest'

import { settings } from '../src/settings.js'

const takes = (key: string, value: string): boolean => {
  const setting = settings.find((one) => one.key === key)
  if (setting === undefined || !('pattern' in setting)) throw new Error(`${key} has no pattern`)
  return new RegExp(setting.pattern.matches).test(value)
}

test.each([
  ['ENDPOINT', ['https://s3.example.net', 'http://127.0.0.1:9000/', 'https://[fe80::1]:9000'], ['s3.example.net', 'https://user:password@s3.example.net', 'https://s3.example.net/bucket', 'ftp://s3', 'https://a b']],
  ['REGION', ['us-east-1', 'auto'], ['', 'us east', 'a/b']],
  ['BUCKET', ['my-stacks', 'my.stacks', 'Old_Bucket'], ['', '-a', 'a/b', 's3://bucket', 'a b']],
  ['STORAGE_CLASS', ['STANDARD', 'STANDARD_IA', 'GLACIER_IR', 'INTELLIGENT_TIERING'], ['GLACIER', 'DEEP_ARCHIVE', 'standard', '', 'A B']],
])('%s takes %j and not %j', (key, good, bad) => {
  expect(good.filter((value) => !takes(key, value))).toEqual([])
  expect(bad.filter((value) => takes(key, value))).toEqual([])
})

test('what is secret is declared so, and its own keys have its own section', () => {
  expect(settings.filter((setting) => 'secret' in setting).map(({ key }) => key)).toEqual(['SECRET_ACCESS_KEY'])
  expect(settings.filter(({ section }) => section !== 'plugin:s3').map(({ key }) => key)).toEqual(['TRANSFERS', 'BANDWIDTH'])
})
