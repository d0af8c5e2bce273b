import { describe, expect, it } from 'vitest'

import { readStopTimeout, stopGraceOf } from '../src/stop-grace.js'

describe('the label stackbk.stop-timeout', () => {
  it.each([['90', 90], ['90s', 90], ['5m', 300], ['2 H', 7200], [' 30 ', 30], ['1d', 86_400]])('reads %j as %i seconds', (text, seconds) => {
    expect(readStopTimeout(text)).toBe(seconds)
  })

  it.each(['', 'soon', '0', '-5', '1.5', '2d', '5 minutes', '1m30s', 'none'])('takes %j for no time', (text) => {
    expect(readStopTimeout(text)).toBeNull()
  })
})

describe('the grace of a container', () => {
  it.each([
    ['its own shorter one', { stopGraceSeconds: 5, isStopGraceExplicit: true }, 300, 5],
    ['its own longer one', { stopGraceSeconds: 900, isStopGraceExplicit: true }, 300, 900],
    ['the configured one where it asks for none', { stopGraceSeconds: 10, isStopGraceExplicit: false }, 5, 5],
    ['the longer one where the state does not say whether it asks for one', { stopGraceSeconds: 10 }, 5, 10],
    ['the configured longer one where the state does not say', { stopGraceSeconds: 10 }, 300, 300],
    ["the engine's default where nothing is configured and it asks for none", { stopGraceSeconds: 10, isStopGraceExplicit: false }, undefined, 10],
  ])('is %s', (_, container, configured, expected) => {
    expect(stopGraceOf(container, configured)).toBe(expected)
  })
})
