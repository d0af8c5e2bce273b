import { describe, expect, it } from 'vitest'

import { complete, type CompletableCommand, type CompletableFlag } from '../../../src/ui/completion.js'

const boolean = (name: string, char?: string): CompletableFlag => ({ name, type: 'boolean', ...(char === undefined ? {} : { char }) })
const option = (name: string, helpValue: string, more: Partial<CompletableFlag> = {}): CompletableFlag => ({ name, type: 'option', helpValue, ...more })
const flagsOf = (...flags: readonly CompletableFlag[]): CompletableCommand['flags'] =>
  Object.fromEntries([...flags, option('config', 'FILE', { char: 'c' }), boolean('json'), boolean('no-color'), boolean('quiet', 'q'), boolean('verbose', 'v'), boolean('yes', 'y')].map((flag) => [flag.name, flag]))
const command = (name: string, more: Partial<CompletableCommand> = {}): CompletableCommand => ({ name, summary: `does ${name}`, aliases: [], args: {}, isOpen: false, flags: flagsOf(), ...more })

const commands = [
  command('recover', { args: { stack: { name: 'stack', multiple: true } }, flags: flagsOf(boolean('all'), option('snapshot', 'ID'), option('target', 'DIR')) }),
  command('backup', { flags: flagsOf(option('stop-mode', 'MODE', { options: ['auto', 'down', 'stop'] })) }),
  command('snapshots', { aliases: ['list-backups'], args: { stack: { name: 'stack' } } }),
  command('snapshots forget', { args: { id: { name: 'id', multiple: true } } }),
  command('dirlist enable', { args: { name: { name: 'name' } }, isOpen: true }),
  command('kit check', { args: { file: { name: 'file' } } }),
  command('completion', { args: { shell: { name: 'shell', options: ['bash', 'zsh'] } } }),
]
let askedConfig: string | undefined
const sources = {
  stacks: (config: string | undefined) => {
    askedConfig = config
    return ['blog', 'my web', 'shop'].map((value) => ({ value, description: 'on' }))
  },
  snapshots: () => [{ value: '1a2b3c4d', description: 'blog' }],
}
const values = (...words: readonly string[]): readonly string[] | string => {
  const found = complete(words, commands, sources)
  return found.kind === 'values' ? found.candidates.map(({ value }) => value) : found.kind
}

describe('at the place of the last word stand', () => {
  it.each([
    ['commands, by their first words', [''], ['recover', 'backup', 'snapshots', 'dirlist', 'kit', 'completion']],
    ['those that begin so', ['sn'], ['snapshots']],
    ['the second word of a topic', ['dirlist', ''], ['enable']],
    ['the second word, and what the first one takes', ['snapshots', ''], ['forget', 'blog', 'my web', 'shop']],
    ['the same under another name', ['list-backups', 'b'], ['blog']],
    ['stacks', ['recover', 'b'], ['blog']],
    ['stacks that are not there yet', ['recover', 'blog', ''], ['my web', 'shop']],
    ['more of a command that takes any number', ['dirlist', 'enable', 'blog', 's'], ['shop']],
    ['a stack with a blank, as the shell escapes it', ['recover', 'my\\ '], ['my web']],
    ['a stack in a quote that is still open', ['recover', '"my w'], ['my web']],
    ['snapshots', ['snapshots', 'forget', '1'], ['1a2b3c4d']],
    ['snapshots as a flag’s value', ['recover', 'blog', '--snapshot', ''], ['1a2b3c4d']],
    ['flags that are not given yet', ['recover', '--all', '--s'], ['--snapshot']],
    ['choices', ['backup', '--stop-mode', ''], ['auto', 'down', 'stop']],
    ['choices behind = in one word (zsh)', ['backup', '--stop-mode=d'], ['--stop-mode=down']],
    ['choices behind = as bash splits it', ['backup', '--stop-mode', '=', 'd'], ['down']],
    ['choices right behind = as bash splits it', ['backup', '--stop-mode', '='], ['auto', 'down', 'stop']],
    ['choices of an argument', ['completion', ''], ['bash', 'zsh']],
    ['files', ['kit', 'check', ''], 'files'],
    ['folders', ['recover', '--target', ''], 'folders'],
    ['files for a global flag before the command', ['--config', ''], 'files'],
    ['nothing behind what takes no more', ['completion', 'bash', ''], []],
    ['nothing under a command that there is not', ['nosuch', ''], []],
  ])('%s', (_, words, wanted) => expect(values(...words)).toEqual(wanted))

  it('the stacks of the configuration that the line names, before the command or behind it', () => {
    for (const words of [['-c', '/a b', 'recover', ''], ['recover', '--config=/a b', ''], ['recover', '--config', '=', '/a b', '']]) {
      askedConfig = undefined
      values(...words)
      expect(askedConfig).toBe('/a b')
    }
  })
})
