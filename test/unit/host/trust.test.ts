import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { readConfigurationFile } from '../../../src/config/config-file.js'
import { systemDataFolder } from '../../../src/host/data-folder.js'
import { distrustOf, distrustOfOne } from '../../../src/host/trust.js'
import { distrustOfPlugins } from '../../../src/providers/plugin-loading.js'

describe('one file or folder', () => {
  it.each([
    [{ uid: 0, gid: 0, mode: 0o755 }, false, null],
    [{ uid: 1000, gid: 0, mode: 0o700 }, false, 'it belongs to the user 1000, not to root'],
    [{ uid: 0, gid: 0, mode: 0o757 }, false, 'every user can write it'],
    [{ uid: 0, gid: 0, mode: 0o1777 }, false, null],
    [{ uid: 0, gid: 0, mode: 0o1777 }, true, 'every user can write it'],
    [{ uid: 0, gid: 0, mode: 0o775 }, true, null],
    [{ uid: 0, gid: 987_654, mode: 0o775 }, true, 'the group 987654 can write it'],
  ])('%j, itself %s: %s', (facts, isItself, reason) => {
    expect(distrustOfOne('/x', facts, isItself)?.reason ?? null).toBe(reason)
  })
})

describe.skipIf(process.getuid?.() !== 0)('what root relies on', () => {
  let root = ''
  const at = (name: string): string => join(root, name)
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'stackbk-trust-'))
    mkdirSync(at('alice'))
    writeFileSync(at('alice/config.ini'), '', { mode: 0o600 })
    chownSync(at('alice'), 1234, 1234)
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('may lie below /tmp, there or not, and not in the folder of another user, whatever link leads there or away', () => {
    writeFileSync(at('config.ini'), '', { mode: 0o600 })
    expect(distrustOf(at('config.ini'))).toBe(null)
    expect(distrustOf(at('none/of/it'))).toBe(null)
    expect(distrustOf(at('alice/config.ini'))?.path).toBe(at('alice'))
    expect(distrustOf(at('alice/none/of/it'))?.path).toBe(at('alice'))
    symlinkSync(at('alice/config.ini'), at('link'))
    expect(distrustOf(at('link'))?.path).toBe(at('alice'))
    symlinkSync(at('config.ini'), at('alice/away'))
    expect(distrustOf(at('alice/away'))?.path).toBe(at('alice'))
    chmodSync(at('config.ini'), 0o602)
    expect(distrustOf(at('config.ini'))).toMatchObject({ path: at('config.ini'), fix: `Run: chmod o-w '${at('config.ini')}'` })
  })

  it('is no configuration that another user can change', () => {
    const place = { file: at('alice/config.ini'), isNamed: true, exists: true, candidates: [] }
    expect(() => readConfigurationFile(place)).toThrow(expect.objectContaining({ kind: 'configuration', code: 'not-trusted' }))
  })

  it('is no plugin in such a folder, and not one that is linked from there', () => {
    mkdirSync(at('data'))
    const listed = JSON.stringify({ oclif: { plugins: [{ name: 'p', type: 'link', root: at('alice') }] } })
    writeFileSync(at('data/package.json'), listed)
    expect(distrustOfPlugins({ STACKBK_DATA_DIR: at('data') })?.path).toBe(at('alice'))
    writeFileSync(at('data/package.json'), listed.replace(at('alice'), at('data')))
    expect(distrustOfPlugins({ STACKBK_DATA_DIR: at('data') })).toBe(null)
    mkdirSync(at('alice/.local/share/stackbk'), { recursive: true })
    writeFileSync(at('alice/.local/share/stackbk/package.json'), listed)
    expect(distrustOfPlugins({ HOME: at('alice') })?.path).toBe(at('alice'))
  })

  it('is its own data folder for the schedule of the system', () => {
    const own = systemDataFolder({ HOME: at('alice') })
    expect(own).not.toContain(root)
    expect(systemDataFolder({ XDG_DATA_HOME: at('alice/data') })).toBe(own)
    expect(systemDataFolder({ STACKBK_DATA_DIR: at('alice/data') })).toBe(own)
    expect(systemDataFolder({ STACKBK_DATA_DIR: at('data') })).toBe(at('data'))
  })
})
