import { expect, it } from 'vitest'

import { nearestName } from '../../../src/config/nearest-name.js'

it.each([
  ['backpu', ['backup', 'sync', 'restore'], 'backup'],
  ['STOP_MOD', ['STOP_MODE', 'FREEZE'], 'STOP_MODE'],
  ['stop_mode', ['STOP_MODE'], 'STOP_MODE'],
  ['snc', ['sync', 'run'], 'sync'],
  ['kubernetes', ['backup', 'sync'], null],
  ['', ['a'], 'a'],
])('the nearest of the known names to %s is found, and nothing far-fetched', (name, known, nearest) => {
  expect(nearestName(name, known)).toBe(nearest)
})
