import { describe, expect, it } from 'vitest'

import { assertNoShortName, forgetScope } from '../../../src/providers/package-names.js'

const refusal = (word: string, environment = {}): unknown => {
  try {
    assertNoShortName(word, environment)
    return null
  } catch (error) {
    return error
  }
}

describe('the name of a package to install', () => {
  it.each(['rsync', 'rsync@1.0.0', 'plugin-rsync', 'stackbk-plugin-', '@stackbk/plugin-rsync', '@stackbk/plugin-rsync@latest', 'restic'])('%s is refused: a stranger may own it in a public registry', (word) => {
    expect(refusal(word)).toMatchObject({ kind: 'usage', code: 'short-name', fix: expect.stringContaining('file:/') as string })
  })

  it.each(['stackbk-plugin-shelf', 'stackbk-plugin-shelf@1.2.3', '@me/shelf', '@me/stackbk-plugin-shelf@next', 'file:/tmp/x.tgz', './x.tgz', '/tmp/x', 'https://example.com/x.git', 'git+ssh://git@example.com/x.git', 'someone/repository'])('%s is not', (word) => {
    expect(refusal(word)).toBeNull()
  })

  it('may be short in a registry of the administrator’s own', () => {
    expect(refusal('rsync', { STACKBK_NPM_REGISTRY: 'http://localhost:4873' })).toBeNull()
  })

  it('is looked for under the scope of stackbk in such a registry only', () => {
    const configOf = (): { pjson: { oclif: { scope?: string } } } => ({ pjson: { oclif: { scope: 'stackbk' } } })
    const [publicly, own] = [configOf(), configOf()]
    forgetScope(publicly as never, {})
    forgetScope(own as never, { STACKBK_NPM_REGISTRY: 'http://localhost:4873' })
    expect([publicly.pjson.oclif.scope, own.pjson.oclif.scope]).toEqual([undefined, 'stackbk'])
  })
})
