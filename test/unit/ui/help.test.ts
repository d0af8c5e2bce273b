import { fileURLToPath } from 'node:url'

import { Config } from '@oclif/core/config'
import { describe, expect, it } from 'vitest'

import StackbkHelp from '../../../src/ui/help.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const config = await Config.load({ root, userPlugins: false, devPlugins: false })
const commands = config.commands.filter(({ hidden, aliases, id, pluginName }) => !hidden && !aliases.includes(id) && /stackbk/.test(pluginName ?? ''))

/** Keeps what it would print. */
class KeptHelp extends StackbkHelp {
  readonly texts: string[] = []

  protected override log(...texts: string[]): void {
    this.texts.push(...texts)
  }
}

async function help(...words: string[]): Promise<string> {
  const shown = new KeptHelp(config, { maxWidth: 80, stripAnsi: true })
  await shown.showHelp(words)
  return shown.texts.join('\n')
}

/** Lines on a terminal of 80 columns. */
function rowsOf(text: string): number {
  return text.split('\n').reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / 80)), 0)
}

/** Those that have more to say than fits. */
const long = ['plugins:install', 'recover', 'restore', 'schedule:install']

describe('the help of a command', () => {
  it.each(commands.filter(({ id }) => !long.includes(id)).map(({ id }) => [id.replaceAll(':', ' ')]))('of %s fits a terminal of 24 rows, its prompt below it', async (name) => {
    const text = await help(...name.split(' '))
    expect(text).toContain(`USAGE`)
    expect(rowsOf(text), text).toBeLessThanOrEqual(23)
  })

  it('says its first line once, names global flags in one row, and leaves exit codes to a page of their own', async () => {
    const text = await help('backup')
    const [first = ''] = text.split('\n')
    expect(first).toContain('back up stacks')
    expect(text.split(first)).toHaveLength(2)
    expect(text).toContain('GLOBAL FLAGS  -c FILE, -q, -v, -y, --json, --no-color: see stackbk --help\n')
    expect(text).toContain('EXIT CODES    see stackbk help exit-codes backup')
    expect(text).not.toContain('--config')
    expect(text).not.toMatch(/^ *75 /m)
  })

  it('shows no example that installs what a stranger may publish', () => {
    const examples = commands.filter(({ id }) => id === 'plugins:install').flatMap((command) => (command.examples ?? []).map(String))
    expect(examples.map((example) => example.split(' ').at(-1))).toEqual([expect.stringMatching(/^file:\//), expect.stringMatching(/^https:/)])
  })

  it('has what only counts with --recover under a heading of its own', async () => {
    const [own = '', withRecover = ''] = (await help('restore')).replace(/^[^]*\nFLAGS\n/, '').split('WITH --recover\n')
    for (const flag of ['--dry-run', '--read-data', '--recover ', '--wait']) expect(own).toContain(flag)
    for (const flag of ['--all', '--stack=NAME...', '--target=DIR', '--overwrite']) {
      expect(own).not.toContain(flag)
      expect(withRecover).toContain(flag)
    }
  })

  it('lists the commands below it, and of a topic that is no command too', async () => {
    expect(await help('snapshots')).toMatch(/COMMANDS\n {2}snapshots forget {2}\S/)
    expect(await help('notify')).toMatch(/COMMANDS\n {2}notify test {2}\S/)
  })

  it('names no command twice in the help of stackbk itself, and begins a first evening', async () => {
    const text = await help()
    const [, list = ''] = /COMMANDS\n([^]*?)\n\n/.exec(text) ?? []
    const names = list.split('\n').map((line) => /^ {2}(\S+) {2}/.exec(line)?.[1])
    expect(names).toEqual([...new Set(names)])
    expect(names).toEqual(expect.arrayContaining(['backup', 'dirlist', 'notify', 'verify']))
    expect(text).not.toContain('TOPICS')
    expect(text).toMatch(/FIRST STEPS\n {2}\$ stackbk config init /)
    expect(text).toContain('--json')
  })
})

describe('help exit-codes', () => {
  it('explains every exit code', async () => {
    const text = await help('exit-codes')
    for (const code of ['0', '1', '2', '3', '4', '5', '6', '7', '10', '11', '12', '75', '129, 130, 143']) expect(text).toMatch(new RegExp(`^ {2}${code} +\\S`, 'm'))
  })

  it('explains those of one command in its own words', async () => {
    const text = await help('exit-codes', 'schedule', 'install')
    expect(text).toContain('systemd or cron refused it')
    expect(text).not.toMatch(/^ {2}12 /m)
  })

  it('refuses an unknown command', async () => {
    await expect(help('exit-codes', 'nosuch')).rejects.toMatchObject({ kind: 'usage', code: 'unknown-command' })
  })
})
