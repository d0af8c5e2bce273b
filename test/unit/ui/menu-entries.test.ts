import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { firstSteps, menuEntries } from '../../../src/ui/menu-entries.js'
import { widthOf } from '../../../src/ui/text-width.js'

const manifest = JSON.parse(readFileSync(new URL('../../../oclif.manifest.json', import.meta.url), 'utf8')) as { commands: Record<string, { flags: Record<string, { char?: string }> }> }
const commands = new Set(Object.keys(manifest.commands).map((id) => id.replaceAll(':', ' ')))
const linesOf = (choices: ReturnType<typeof menuEntries>): string[] => choices.flatMap(({ value }) => (value === null ? [] : [[...value.command, ...value.arguments].join(' ')]))

describe('the menu', () => {
  const entries = menuEntries({ commands, isConfigured: true, hasLeftStopped: false })

  it('reaches everything that a day needs', () => {
    for (const line of ['backup', 'backup -n', 'sync', 'sync -n', 'sync --test', 'run', 'recover', 'restore', 'restore -n', 'verify', 'verify --cloud', 'drill', 'status', 'snapshots', 'history', 'doctor', 'config check', 'config show', 'config init', 'dirlist', 'snapshots forget', 'schedule show', 'schedule install', 'kit write', 'kit check', 'resume']) {
      expect(linesOf(entries), line).toContain(line)
    }
    expect(entries.at(-1)).toMatchObject({ value: null, label: 'Quit' })
  })

  it('says that stacks are chosen, and is found by other words for that', () => {
    expect(entries.find(({ value }) => value?.command.join(' ') === 'dirlist')).toMatchObject({ label: 'Choose stacks', hint: 'enable those to back up' })
  })

  it('names nothing that the commands do not know', () => {
    for (const { value } of entries) {
      if (value === null) continue
      const command = manifest.commands[value.command.join(':')]
      expect(command, value.command.join(' ')).toBeDefined()
      for (const flag of value.arguments) expect(Object.entries(command?.flags ?? {}).some(([name, { char }]) => flag === `--${name}` || flag === `-${char ?? ''}`), flag).toBe(true)
    }
  })

  it('asks before whatever stops, replaces or removes something, and before nothing else', () => {
    const asking = entries.flatMap(({ value }) => (value?.question === undefined ? [] : [[...value.command, ...value.arguments].join(' ')]))
    // Those that ask themselves are not among them: recover, snapshots forget, config init.
    expect(asking.toSorted()).toEqual(['backup', 'drill', 'restore', 'run', 'schedule install', 'sync'])
  })

  it('leaves out what is not installed', () => {
    expect(linesOf(menuEntries({ commands: new Set(['backup', 'status']), isConfigured: true, hasLeftStopped: false }))).toEqual(['backup', 'backup -n', 'status'])
  })

  it('begins with what comes first: a configuration, and stacks that were left stopped', () => {
    expect(linesOf(menuEntries({ commands, isConfigured: false, hasLeftStopped: true })).slice(0, 2)).toEqual(['config init', 'resume'])
    const lines = linesOf(menuEntries({ commands, isConfigured: false, hasLeftStopped: true }))
    expect(new Set(lines).size).toBe(lines.length)
    expect(linesOf(menuEntries({ commands, isConfigured: true, hasLeftStopped: true }))[0]).toBe('resume')
  })

  it('offers without a configuration only what works without one', () => {
    expect(linesOf(menuEntries({ commands, isConfigured: false, hasLeftStopped: false }))).toEqual(['config init', 'config import', 'doctor', 'kit check'])
  })

  it('fits 80 columns with all that it says', () => {
    for (const choice of [...entries, ...firstSteps(commands)]) {
      expect(widthOf(choice.label), choice.label).toBeLessThanOrEqual(20)
      expect(widthOf(choice.hint ?? ''), choice.hint).toBeLessThanOrEqual(44)
    }
  })

  it('offers after a first configuration what comes next', () => {
    expect(linesOf(firstSteps(commands))).toEqual(['dirlist', 'backup -n', 'backup', 'schedule install', 'kit write'])
  })
})
