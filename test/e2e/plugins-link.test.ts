import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stackbk-link '))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** The built program: `npm run build` comes before. */
function plugins(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [`${root}bin/run.js`, 'plugins', ...args], { encoding: 'utf8', timeout: 60_000, cwd: folder, env: { ...process.env, STACKBK_DATA_DIR: join(folder, 'data') } })
}

const packageJson = JSON.stringify({ name: 'stackbk-plugin-shelf', version: '1.0.0', type: 'module', oclif: { hooks: { 'stackbk:providers': './providers.js' } } })

describe('plugins link', () => {
  it('says what the plugin provides, without a word about lockfiles; by its folder the plugin is removed again', () => {
    write('shelf/package.json', packageJson)
    write('shelf/providers.js', "import { defineTransport } from '@stackbk/contract'\nexport default async () => [defineTransport({ id: 'shelf', title: 'a shelf', settings: [], create: async () => ({}) })]\n")
    mkdirSync(join(folder, 'shelf/node_modules/@stackbk'), { recursive: true })
    symlinkSync(`${root}packages/contract`, join(folder, 'shelf/node_modules/@stackbk/contract'))
    const { status, stderr } = plugins('link', join(folder, 'shelf'))
    expect([status, stderr]).toEqual([0, expect.stringContaining('stackbk-plugin-shelf: transport shelf: a shelf\n')])
    expect(stderr).not.toMatch(/lockfile|warning/i)
    expect(plugins('uninstall', './shelf').status).toBe(0)
    expect(plugins().stdout).toContain('No plugins installed.')
  })

  it('says why the plugin cannot be used, with the file and line of a syntax error, and exits with 1', () => {
    write('shelf/package.json', packageJson)
    write('shelf/providers.js', "import './other.js'\nexport default async () => []\n")
    write('shelf/other.js', '\n\nconst wrong = ;\n')
    const { status, stderr } = plugins('link', 'shelf')
    expect([status, stderr]).toEqual([1, expect.stringContaining(`stackbk-plugin-shelf: cannot be used: its providers hook failed: Unexpected token ';' (${join(folder, 'shelf/other.js')}:3)`)])
  })

  it('refuses a folder that is not a plugin with 2', () => {
    write('other/package.json', '{ "name": "other" }')
    expect(plugins('link', 'other')).toMatchObject({ status: 2, stderr: expect.stringContaining('is not a plugin of stackbk\n  its package.json has no "oclif"; nothing was linked') as string })
    expect(plugins('link', 'nowhere')).toMatchObject({ status: 2, stderr: expect.stringContaining('its package.json cannot be read') as string })
  })
})

describe('plugins reset', () => {
  it('takes all plugins away only after a yes', () => {
    write('shelf/package.json', packageJson)
    write('shelf/providers.js', 'export default async () => []\n')
    expect(plugins('link', 'shelf').status).toBe(0)
    expect(plugins('reset')).toMatchObject({ status: 2, stderr: expect.stringContaining('Add --yes') as string })
    expect(plugins().stdout).toContain('stackbk-plugin-shelf')
    expect(plugins('reset', '--yes').status).toBe(0)
    expect(plugins().stdout).toContain('No plugins installed.')
  })

  it.each(['inspect', 'install', 'link', 'reset', 'uninstall', 'update'])("has, like each command for plugins, the help of stackbk: %s", (command) => {
    expect(plugins(command, '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining(`EXIT CODES  see stackbk help exit-codes plugins ${command}`) as string })
  })
})

describe('plugins install', () => {
  it('refuses a short name with 2, before any registry is asked', () => {
    expect(plugins('install', 'rsync')).toMatchObject({ status: 2, stderr: expect.stringContaining('rsync is not installed by this name') as string })
    expect(plugins('add', '@stackbk/plugin-rsync')).toMatchObject({ status: 2, stderr: expect.stringContaining('nobody has registered the scope') as string })
  })
})
