import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { Linter } from 'eslint'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = `${root}bin/run.js`
const { engines } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { engines: { node: string } }

/** Runs the program on a Node that says of itself that it is this version. */
function runOn(version: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const disguise = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  return spawnSync(process.execPath, ['--import', disguise, program, ...args], { encoding: 'utf8', timeout: 60_000 })
}

describe('on a Node that is too old', () => {
  // Node 14 knows ES2020, but no await at the top of a module; import() is younger than the rest.
  it.each([['script', 2020], ['module', 2020]] as const)('bin/run.js is understood, as a %s of ES%i', (sourceType, ecmaVersion) => {
    const text = readFileSync(program, 'utf8').replace(/^#!.*\n/, '\n')
    expect(new Linter().verify(text, { languageOptions: { ecmaVersion, sourceType } })).toEqual([])
    expect(new Linter().verify(text.replace("import('./main.js')", 'Promise.resolve()'), { languageOptions: { ecmaVersion: 2015, sourceType } })).toEqual([])
    expect(text).not.toMatch(/^import /m)
  })

  it.each(['14.21.3', '18.20.8', '20.0.0', '20.4.0'])('%s: it says which Node is needed and found, with exit code 4', (version) => {
    const { status, stdout, stderr } = runOn(version, 'status')
    expect([status, stdout, stderr]).toEqual([4, '', expect.stringContaining(`Error: stackbk needs Node 20.5 or newer; this is ${version} (${process.execPath})\nNext:  Install a newer Node`)])
  })

  it('it says so in one document with --json', () => {
    const { status, stdout } = runOn('18.20.8', 'status', '--json')
    expect([status, JSON.parse(stdout)]).toEqual([4, { error: { code: 'tool-too-old', message: expect.stringContaining('18.20.8') as string, fix: expect.any(String) as string, exitCode: 4 } }])
  })

  it.each(['20.5.0', '22.23.5', '100.0.0'])('%s is none', (version) => {
    expect(runOn(version, '--version')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^stackbk\//) as string })
  })

  it('names the version that the package asks for', () => {
    expect(engines.node).toBe('>=20.5')
    expect(readFileSync(program, 'utf8')).toContain('const oldestNode = [20, 5]')
  })
})
