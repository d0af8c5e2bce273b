import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

interface Declared {
  readonly id: string
  readonly hidden?: boolean
  readonly summary?: string
  readonly description?: string
  readonly examples?: readonly string[]
  readonly args: Readonly<Record<string, { readonly description?: string }>>
  readonly flags: Readonly<Record<string, { readonly description?: string; readonly hidden?: boolean }>>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const commandsOf = (file: string): Declared[] => Object.values((JSON.parse(readFileSync(`${root}${file}`, 'utf8')) as { commands: Record<string, Declared> }).commands)
const commands = [...commandsOf('oclif.manifest.json'), ...commandsOf('plugins/notify/oclif.manifest.json')].filter(({ hidden }) => hidden !== true).map((command) => [command.id.replaceAll(':', ' '), command] as const)
const knownCodes = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 75, 129, 130, 143]

/** As heroku writes help. A name may begin it: those keep their own case. */
function assertFragment(text: string | undefined): void {
  expect(text).toMatch(/^(?:[^A-Z]|IDs|JSON Schema)/)
  expect(text).not.toMatch(/\.$/)
}

describe.each(commands)('stackbk %s --help', (name, { summary, description = '', examples = [], args, flags }) => {
  it('says what it does, in lower-case fragments without a full stop', () => {
    assertFragment(summary)
    for (const { description: help } of [...Object.values(args), ...Object.values(flags).filter(({ hidden }) => hidden !== true)]) assertFragment(help)
  })

  it('names its exit codes, each with what it means', () => {
    const [, codes = ''] = description.split('EXIT CODES\n')
    const lines = codes.split('\n')
    for (const line of lines) expect(line).toMatch(/^\d+(?:, \d+)* \S/)
    const numbers = lines.flatMap((line) => /^[\d, ]+/.exec(line)?.[0].split(',').map(Number) ?? [])
    expect(numbers).toEqual([...new Set(numbers)].toSorted((one, other) => one - other))
    expect(numbers).toContain(2)
    for (const number of numbers) expect(knownCodes).toContain(number)
  })

  it('has an example, and each is a call of it with flags that it takes', () => {
    expect(examples.length).toBeGreaterThan(0)
    for (const example of examples) {
      const words = example.replace('<%= config.bin %> ', '')
      const [called, declared] = commands.filter(([other]) => words === other || words.startsWith(`${other} `)).toSorted(([one], [other]) => other.length - one.length)[0] ?? ['', null]
      expect(called === name || called.startsWith(`${name} `)).toBe(true)
      for (const [, flag = ''] of words.matchAll(/ --([a-z-]+)/g)) expect(Object.keys(declared?.flags ?? {})).toContain(flag)
    }
  })
})

it('what is written from the commands is up to date', () => {
  expect(execFileSync(process.execPath, ['scripts/write-commands.js', '--check'], { cwd: root, encoding: 'utf8', stdio: 'pipe' })).toBe('')
})

it('the manual pages are read without a warning', () => {
  const pages = readdirSync(`${root}man`).map((name) => `${root}man/${name}`)
  expect(pages.length).toBeGreaterThan(30)
  const said = execFileSync('sh', ['-c', 'for page in "$@"; do man --warnings -l -Tutf8 -Z "$page" 2>&1 >/dev/null; done', 'sh', ...pages], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' } })
  expect(said).toBe('')
  // A few processes for each of the pages, on a machine that may have other things to do.
}, 120_000)
