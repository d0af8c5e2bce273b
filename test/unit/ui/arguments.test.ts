import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { arrangeArguments } from '../../../src/ui/arguments.js'

describe('global flags before the command', () => {
  beforeEach(() => {
    vi.stubEnv('NO_COLOR', undefined)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  const cases: [string, string][] = [
    ['backup web', 'backup web'],
    ['--config F backup', 'backup --config F'],
    ['-c F --json backup web -n', 'backup web -n -c F --json'],
    ['--config=F -y config check', 'config check --config=F -y'],
    ['-cF backup', 'backup -cF'],
    ['-v -q --no-color status', 'status -v -q --no-color'],
    ['--json', '--json'],
    ['', ''],
    ['--help', '--help'],
    ['--version', '--version'],
    ['--json --help', '--help --json'],
    ['--unknown backup', '--unknown backup'],
    ['--config', '--config'],
    ['--json backup -- --config', 'backup --json -- --config'],
    ['-c backup backup', 'backup -c backup'],
    ['backup --config F', 'backup --config F'],
  ]
  it.each(cases)('%s becomes %s', (given, expected) => {
    const words = (text: string): string[] => text.split(' ').filter((word) => word !== '')
    expect(arrangeArguments(words(given))).toEqual(words(expected))
  })

  it('keep a value with blanks in one piece, and what they were given as it was', () => {
    const argv = ['--config', 'my file', 'backup']
    expect(arrangeArguments(argv)).toEqual(['backup', '--config', 'my file'])
    expect(argv).toEqual(['--config', 'my file', 'backup'])
  })

  it('tell every library of --no-color, wherever it stands', () => {
    arrangeArguments(['backup', '--no-color'])
    expect(process.env['NO_COLOR']).toBe('1')
    vi.stubEnv('NO_COLOR', undefined)
    arrangeArguments(['backup'])
    expect(process.env['NO_COLOR']).toBeUndefined()
  })
})
