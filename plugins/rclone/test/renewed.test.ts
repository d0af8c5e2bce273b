import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Secret } from '@stackbk/contract'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { holdsToken, returnRenewed, withoutAccessTokens } from '../src/renewed.js'

describe('what rclone has renewed in a copy of its configuration', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stackbk-renewed-'))
    path = join(folder, 'rclone.conf')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const token = (name: string): string => `{"access_token":"${name}","refresh_token":"once-${name} = [x]"}`
  const text = (name: string, more = ''): string => `# mine\n[cloud]\ntype = box\ntoken = ${token(name)}\n\n[disk]\ntype = alias\nremote = /mnt/a=b\n${more}`
  const giveBack = (before: string, after: string) => returnRenewed(path, { name: 'rclone.conf', before: new Secret(before), after: new Secret(after) })

  it('is put into the configuration, of which all else stays as it is: comments, order, mode and a symbolic link', async () => {
    const real = join(folder, 'real.conf')
    writeFileSync(real, text('old', '[later]\ntype = sftp\n'), { mode: 0o640 })
    symlinkSync(real, path)
    expect(await giveBack(text('old'), text('new').replace('# mine\n', ''))).toEqual({ ok: true, value: { returned: true, outdatesCopies: true } })
    expect(readFileSync(real, 'utf8')).toBe(text('new', '[later]\ntype = sftp\n'))
    expect([statSync(real).mode & 0o777, readdirSync(folder).sort()]).toEqual([0o640, ['rclone.conf', 'real.conf']])
  })

  it('is left out where the configuration holds something newer by now', async () => {
    writeFileSync(path, text('newest'))
    expect(await giveBack(text('old'), text('new'))).toMatchObject({ ok: true, value: { returned: false } })
    expect(readFileSync(path, 'utf8')).toBe(text('newest'))
  })

  it('is a failure that names the way out where the configuration is encrypted', async () => {
    writeFileSync(path, '# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabc\n')
    expect(await giveBack(text('old'), text('new'))).toMatchObject({ ok: false, failure: { fix: expect.stringContaining('rclone config reconnect cloud:') as string } })
  })

  it('is nothing where only the form has changed', async () => {
    writeFileSync(path, text('old'))
    expect(await giveBack(text('old'), text('old').replaceAll(/^(\w+) = /gm, '$1='))).toMatchObject({ ok: true, value: { returned: false } })
    expect(readFileSync(path, 'utf8')).toBe(text('old'))
  })

  it('leaves an older copy as good as it was where only the access token is new, which is got anew at each use', async () => {
    const onlyAccess = (text: string): string => text.replace('"access_token":"old"', '"access_token":"fresh","expiry":"2026-01-01T00:00:00Z"')
    writeFileSync(path, text('old'))
    expect(await giveBack(text('old'), onlyAccess(text('old')))).toEqual({ ok: true, value: { returned: true, outdatesCopies: false } })
    expect(readFileSync(path, 'utf8')).toBe(onlyAccess(text('old')))
    writeFileSync(path, 'RCLONE_ENCRYPT_V0:\nabc\n')
    expect(await giveBack(text('old'), onlyAccess(text('old')))).toEqual({ ok: true, value: { returned: false, outdatesCopies: false } })
    expect([withoutAccessTokens(text('old')) === withoutAccessTokens(onlyAccess(text('old'))), withoutAccessTokens(text('old')) === withoutAccessTokens(text('new'))]).toEqual([true, false])
    for (const odd of ['token = none', 'token = {"access_token":"lasts"}']) expect(withoutAccessTokens(odd)).toBe(odd)
  })

  it('is expected only of a configuration that holds a token', () => {
    expect([holdsToken(text('old')), holdsToken('[a]\ntype = sftp\nhost = token\n')]).toEqual([true, false])
  })
})
