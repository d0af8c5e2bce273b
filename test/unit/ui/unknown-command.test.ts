import { describe, expect, it } from 'vitest'

import { formatError, errorText } from '../../../src/ui/error-text.js'
import { exitCodeHelp } from '../../../src/ui/exit-code-help.js'
import { knownCommands, unknownCommand } from '../../../src/ui/unknown-command.js'

const flags = { 'dry-run': { char: 'n', type: 'boolean' } } as const
const commands = knownCommands([{ id: 'backup', flags }, { id: 'sync', flags }, { id: 'status', flags: {} }, { id: 'dirlist', flags: {} }, { id: 'dirlist:enable', flags: {} }, { id: 'dirlist:list', flags: {} }])
const said = (...words: string[]): string => formatError(errorText(unknownCommand(words, commands)))

describe('a call that names no command', () => {
  it('names the nearest one', () => {
    expect(said('bakcup')).toBe('Error: there is no command "bakcup"\n  there are: backup, dirlist, status, sync\nNext:  Did you mean: stackbk backup')
    expect(said('zzzzzz', '--json')).toMatch(/no command "zzzzzz"[^]*Next: {2}See: stackbk --help$/)
  })

  it.each([
    ['logs', 'history'],
    ['ls', 'snapshots'],
    ['list', 'snapshots'],
    ['find', 'snapshots'],
    ['diff', 'snapshots'],
    ['prune', 'snapshots forget --prune'],
    ['mount', 'recover STACK --target DIR'],
    ['unlock', 'doctor'],
    ['version', '--version'],
  ])('that is called %s by other tools leads to: stackbk %s', (word, line) => {
    const all = knownCommands(['history', 'snapshots', 'snapshots:forget', 'recover', 'doctor', 'dirlist:list'].map((id) => ({ id, flags: {} })))
    expect(unknownCommand([word, 'web'], all)).toMatchObject({ kind: 'usage', code: 'unknown-command', message: `there is no command "${word} web"`, fix: `Did you mean: stackbk ${line}` })
  })

  it('leads to no command that is not there', () => {
    expect(said('logs')).toContain('there are: backup')
  })

  it('names those of its topic', () => {
    expect(said('dirlist', 'enabel', 'web')).toBe('Error: there is no command "dirlist enabel web"\n  there are: dirlist enable, dirlist list\nNext:  Did you mean: stackbk dirlist enable')
  })

  it('tells a word too many from an unknown command', () => {
    expect(said('sync', 'web')).toBe("Error: sync takes no 'web'\n  it has no argument\nNext:  See: stackbk sync --help")
  })

  it('tells of a flag that stands where the command should be', () => {
    expect(said('--dry-run')).toContain('as in: stackbk backup --dry-run')
    expect(said('-n')).toContain('-n stands before the command')
    expect(said('--nosuch')).toContain('there is no flag --nosuch')
    expect(said('--json')).toContain('no command is given')
    expect(said('-c')).toContain('no command is given')
  })
})

describe('exit codes in the help', () => {
  it('are those that the command can return, in their order', () => {
    expect(exitCodeHelp([75, 4, 'signals'], { 4: 'no engine' })).toBe('EXIT CODES\n0 success\n1 failed\n2 invalid usage or configuration; nothing was changed\n4 no engine\n75 another stackbk run is in progress\n129, 130, 143 interrupted; every stopped stack was started again')
  })
})
