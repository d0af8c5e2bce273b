import { Secret } from '@stackbk/contract'
import { describe, expect, it } from 'vitest'

import { createRedactor, redactUrls } from '../src/redaction.js'

const redactorOf = (...values: string[]) => createRedactor(values.map((value) => new Secret(value)))

describe('redaction', () => {
  it('takes every occurrence out', () => {
    expect(redactorOf('hunter2')('a hunter2, hunter2hunter2')).toBe('a ********, ****************')
  })

  it('takes the longer of two out first, so that no rest of it stays', () => {
    expect(redactorOf('secret', 'secret-longer')('secret-longer secret')).toBe('******** ********')
  })

  it('leaves what is too short to be a secret, and what is none', () => {
    expect(redactorOf('abc', '')('abc abcd')).toBe('abc abcd')
  })

  it('knows no patterns: signs are signs', () => {
    expect(redactorOf('a.*$&c')('a.*$&c axxc')).toBe('******** axxc')
  })

  it('finds a secret in JSON as well, where its quotes and backslashes are escaped', () => {
    const value = 'pa"ss\\wo\trd'
    const text = JSON.stringify({ message: `wrong password ${value}` })
    expect(JSON.parse(redactorOf(value)(text))).toEqual({ message: 'wrong password ********' })
  })

  it("finds it in Go's JSON, where further signs are escaped", () => {
    expect(redactorOf('a<b>&c')(String.raw`{"m":"a\u003cb\u003e\u0026c"}`)).toBe('{"m":"********"}')
  })

  it('finds each line of a secret of several, since output comes by lines', () => {
    const redact = redactorOf('first-line\nsecond-line\r\n')
    expect(['first-line', 'x second-line'].map(redact)).toEqual(['********', 'x ********'])
  })

  it.each([
    ['https://ann:pass@host/x', 'https://ann:********@host/x'],
    ['rest:http://:pass@host:8000/', 'rest:http://:********@host:8000/'],
    ['postgres://a:p@ss@db:5432/x', 'postgres://a:********@db:5432/x'],
    ['two: ftp://a:b@c and ftp://d:e@f', 'two: ftp://a:********@c and ftp://d:********@f'],
    ['http://host:8080/a@b', 'http://host:8080/a@b'],
    ['ann@host', 'ann@host'],
    ['http://host:8080 mail me@host', 'http://host:8080 mail me@host'],
  ])('of a password in a URL: %s', (text, expected) => {
    expect(redactUrls(text)).toBe(expected)
  })

  it('never reaches from one JSON string into the next', () => {
    const text = JSON.stringify({ url: 'http://host:8080', mail: 'me@host' })
    expect(redactUrls(text)).toBe(text)
  })
})
