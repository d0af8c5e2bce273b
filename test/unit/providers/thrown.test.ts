import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { reasonIn, reasonOf, stackOf } from '../../../src/providers/thrown.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stackbk-thrown and so-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Imports a module with this text by a Node of its own, which gives the error as it is. */
async function importing(text: string): Promise<unknown> {
  const file = join(folder, 'plugin.mjs')
  writeFileSync(file, text)
  const { execFileSync } = await import('node:child_process')
  const program = `import(${JSON.stringify(pathToFileURL(file).href)}).then((module) => module.default(), (error) => { throw error }).catch((error) => process.stdout.write(JSON.stringify([error.name, error.message, error.stack])))`
  const [name, message, stack] = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })) as [string, string, string]
  return Object.assign(new Error(message), { name, stack })
}

describe('the reason of what a plugin throws', () => {
  it('names file and line of a syntax error', async () => {
    mkdirSync(join(folder, 'src', 'deep'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'src', 'right.js'), 'export const right = await Promise.resolve(1)\n')
    writeFileSync(join(folder, 'src', 'deep', 'wrong.js'), 'export const one = 1\nconst two = ;\n')
    expect(await reasonIn(folder, new SyntaxError("Unexpected token ';'"))).toMatch(/^Unexpected token ';' \(.*thrown\.test\.ts:\d+\)$/)
    const asNodeThrowsIt = Object.assign(new SyntaxError("Unexpected token ';'"), { stack: "SyntaxError: Unexpected token ';'\n    at compileSourceTextModule (node:internal/modules/esm/utils:346:16)" })
    expect(await reasonIn(folder, asNodeThrowsIt)).toBe(`Unexpected token ';' (${join(folder, 'src', 'deep', 'wrong.js')}:2)`)
    expect(await reasonIn(null, asNodeThrowsIt)).toBe("Unexpected token ';'")
    rmSync(join(folder, 'src'), { recursive: true })
    expect(await reasonIn(folder, asNodeThrowsIt)).toBe("Unexpected token ';'")
  })

  it('names file and line of a call of what is not there', async () => {
    expect(reasonOf(await importing('export default () => {\n  nothing()\n}\n'))).toBe(`nothing is not defined (${join(folder, 'plugin.mjs')}:2)`)
  })

  it('names those of the plugin where the mistake shows in a function of Node', async () => {
    expect(reasonOf(await importing("export default () =>\n  JSON.parse('{')\n"))).toMatch(/\(.*plugin\.mjs:2\)$/)
  })

  it('is only the message where the plugin says by itself what is wrong', () => {
    expect(reasonOf(new Error('FOLDER must exist'))).toBe('FOLDER must exist')
  })

  it.each([['a text', 'oh', 'oh'], ['an object with a message', { message: 'oh' }, 'oh'], ['nothing', undefined, 'undefined'], ['an error without a message', new TypeError(''), /^TypeError/], ['an error without a stack', Object.assign(new TypeError('oh'), { stack: undefined }), 'oh']])('can be told of %s', (_, thrown, expected) => {
    expect(reasonOf(thrown)).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
    expect(stackOf(thrown)).toEqual(expect.any(String))
  })
})
