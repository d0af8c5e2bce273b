import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { arrangeArguments, readGlobalFlags } from '../../../src/ui/arguments.js'

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
    ['-qv backup', 'backup -qv'],
    ['-qvc F backup', 'backup -qvc F'],
    ['-qvcF backup', 'backup -qvcF'],
    ['dirlist --config F list', 'dirlist list --config F'],
    ['-q dirlist -y enable web', 'dirlist enable web -q -y'],
    ['backup -n -q web', 'backup -n -q web'],
    ['-qn backup', '-qn backup'],
    ['--json', '--json'],
    ['--config F', ''],
    ['-qv', ''],
    ['-c F --json', '-c F --json'],
    ['--json plugins --core', 'plugins --core --json'],
    ['--no-color plugins install -v x', 'plugins install -v x'],
    ['-c F help backup', 'help backup'],
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

  it.each([
    ['', 'menu'],
    ['--config F', 'menu --config F'],
    ['-c F -v --no-color', 'menu -c F -v --no-color'],
    ['--yes', ''],
    ['-q', ''],
    ['--json', '--json'],
    ['backup', 'backup'],
    ['--help', '--help'],
  ])("alone in a terminal ('%s') are the menu's, unless they want no question: %s", (given, expected) => {
    const words = (text: string): string[] => text.split(' ').filter((word) => word !== '')
    expect(arrangeArguments(words(given), () => true)).toEqual(words(expected))
  })

  it.each([
    ['backup --wait 10m web', 'backup --wait=10m web'],
    ['backup --wait web', 'backup --wait=usual web'],
    ['backup --wait 5', 'backup --wait=usual 5'],
    ['backup 10m --wait', 'backup 10m --wait=usual'],
    ['backup --wait=10m 10m', 'backup --wait=10m 10m'],
    ['backup --wait -- 10m', 'backup --wait=usual -- 10m'],
  ])("take a time with a unit behind --wait for its value, and nothing else ('%s')", (given, expected) => {
    expect(arrangeArguments(given.split(' '))).toEqual(expected.split(' '))
  })

  it('tell every library of --no-color, wherever it stands', () => {
    arrangeArguments(['backup', '--no-color'])
    expect(process.env['NO_COLOR']).toBe('1')
    vi.stubEnv('NO_COLOR', undefined)
    arrangeArguments(['backup'])
    expect(process.env['NO_COLOR']).toBeUndefined()
  })
})

describe('global flags, known even where the rest does not parse', () => {
  const shapes = { 'dry-run': { char: 'n', type: 'boolean' }, stack: { char: 's', type: 'option' } } as const
  const none = { config: undefined, json: false, noColor: false, quiet: false, verbose: false, yes: false }

  it.each([
    ['web', {}],
    ['--json -q', { json: true, quiet: true }],
    ['-qv', { quiet: true, verbose: true }],
    ['-nqc F', { quiet: true, config: 'F' }],
    ['-nvcF', { verbose: true, config: 'F' }],
    ['-c=F', { config: 'F' }],
    ['--config=a=b', { config: 'a=b' }],
    ['--config F --config G', { config: 'G' }],
    ['--config', {}],
    ['--stack -q', {}],
    ['--stack=-q -v', { verbose: true }],
    ['-s --json', {}],
    ['--no-color -- --json -c F', { noColor: true }],
    ['-xq --jsonn --nosuch=1', {}],
  ])('%s', (given, expected) => {
    expect(readGlobalFlags(given.split(' '), shapes)).toEqual({ ...none, ...expected })
  })
})
