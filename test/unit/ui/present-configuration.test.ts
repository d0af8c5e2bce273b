import { expect, it } from 'vitest'

import type { ConfigurationCheckResult } from '../../../src/stages/configuration.js'
import { presentCheck } from '../../../src/ui/present-configuration.js'

const result = { file: '/etc/stackbk/config.ini', problems: [] } as unknown as ConfigurationCheckResult

it('ends with the command that tries a valid configuration, of a named file with its name', () => {
  expect(presentCheck(result, false)).toBe('/etc/stackbk/config.ini is valid\nTo try it: stackbk doctor')
  expect(presentCheck({ ...result, file: '/srv/my config.ini' }, true)).toBe("/srv/my config.ini is valid\nTo try it: stackbk doctor --config '/srv/my config.ini'")
})

it('says that a configuration with warnings is valid', () => {
  const problems = [{ severity: 'warning' as const, code: 'x', message: 'odd', fix: '' }]
  expect(presentCheck({ ...result, problems }, false)).toMatch(/^warning: odd\n\n.* is valid, with warnings\nTo try it: /)
})
