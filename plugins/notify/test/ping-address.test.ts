import { describe, expect, it } from 'vitest'

import { addressFor, type PingAddresses, withPlaceholders } from '../src/ping-address.js'

const of = (url: string, urlFail = '', urlStart = ''): PingAddresses => ({ url, urlFail, urlStart })
const facts = { message: 'a & {secret} ü', durationMs: 12.6 }

describe('the push address of Uptime Kuma', () => {
  it.each([
    ['https://k.example.org/api/push/KEY?status=up&msg=OK&ping=', 'https://k.example.org/api/push/KEY?status={status}&msg={message}&ping={duration}'],
    ['http://k/base/api/push/KEY/?msg=mine&status=up', 'http://k/base/api/push/KEY/?msg=mine&status={status}'],
    ['http://k/api/push/{secret}?status=up', 'http://k/api/push/{secret}?status={status}'],
  ])('%s gets placeholders for its sample values', (given, expected) => {
    expect(withPlaceholders(of(given)).url).toBe(expected)
  })

  it.each(['https://hc.example.org/uuid?create=1', 'https://k/api/push/KEY?status=down', 'https://k/api/push/KEY', 'https://k/other/KEY?status=up', 'https://k/api/push/KEY?status={status}'])('%s stays as it is', (given) => {
    expect(withPlaceholders(of(given)).url).toBe(given)
  })

  it('stays as it is if failures have an address of their own', () => {
    const given = of('https://k/api/push/KEY?status=up', 'https://k/api/push/KEY?status=down')
    expect(withPlaceholders(given)).toEqual(given)
  })
})

describe('the address of a ping', () => {
  it('has encoded values, with no placeholder taken from a value', () => {
    expect(addressFor(of('http://x/?s={status}&m={message}&d={duration}&u={unknown}'), 'down', facts)).toBe('http://x/?s=down&m=a%20%26%20%7Bsecret%7D%20%C3%BC&d=13&u={unknown}')
  })

  it('has a message of limited length, also of one with broken characters', () => {
    const address = addressFor(of('http://x/?m={message}'), 'up', { message: `\ud800${'\u{1f600}'.repeat(500)}`, durationMs: null })
    expect(decodeURIComponent(address ?? '')).toBe(`http://x/?m=\ufffd${'\u{1f600}'.repeat(199)}`)
  })

  it.each([
    [of('http://x/u?a=1'), 'start', 'http://x/u/start?a=1'],
    [of('http://x/u/?a=1'), 'down', 'http://x/u/fail?a=1'],
    [of('http://x/u?m={message}'), 'down', 'http://x/u/fail?m=a%20%26%20%7Bsecret%7D%20%C3%BC'],
    [of('http://x/{status}'), 'start', null],
    [of('http://x/{status}'), 'down', 'http://x/down'],
    [of('http://x/{status}'), 'up', 'http://x/up'],
    [of('http://x/u', 'http://x/f'), 'start', null],
    [of('http://x/u', '', 'http://x/s'), 'start', 'http://x/s'],
    [of('http://x/u', '', 'http://x/s'), 'down', 'http://x/u/fail'],
  ] as const)('of %j for %s is %s', (addresses, state, expected) => {
    expect(addressFor(addresses, state, facts)).toBe(expected)
  })
})
