import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'

import { kitPage, type PageRequest } from '../../../src/stages/kit/page.js'
import { packedProgram } from '../../../src/stages/kit/program.js'
import { at, write } from './fixtures.js'

async function contentOf(tarball: Uint8Array): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  const archive = extract()
  Readable.from([tarball]).pipe(createGunzip()).pipe(archive)
  for await (const entry of archive) {
    found[entry.header.name] = entry.header.mode ?? 0
    entry.resume()
  }
  return found
}

describe('stackbk packed for the kit', () => {
  it('holds what was installed, with what may be run, and without links and what npm notes for itself', async () => {
    write('program/package.json', '{ "bundleDependencies": true }')
    write('program/bin/run.js')
    chmodSync(at('program/bin/run.js'), 0o755)
    write('program/node_modules/a/index.js')
    write('program/node_modules/.package-lock.json')
    mkdirSync(at('program/node_modules/.bin'))
    symlinkSync('../a/index.js', at('program/node_modules/.bin/a'))
    const { name, content } = await packedProgram(at('program'), '1.2.3')
    expect(name).toBe('stackbk-1.2.3.tgz')
    expect(await contentOf(content)).toEqual({ 'package/package.json': 0o644, 'package/bin/run.js': 0o755, 'package/node_modules/a/index.js': 0o644 })
  })

  it('is refused where stackbk runs from its source code', async () => {
    write('source/package.json', '{ "bundleDependencies": ["@stackbk/contract"] }')
    await expect(packedProgram(at('source'), '1.2.3')).rejects.toMatchObject({ kind: 'usage', code: 'program-not-packed' })
  })
})

describe('the page of the kit', () => {
  const request: PageRequest = { manifest: { schemaVersion: 1, createdAt: '', host: 'h', repositoryId: 'id', repository: '/r', remote: 'cloud:' }, kit: 'kit.age', names: [], placed: [], localRoot: '/r', version: '1.2.3', program: null, plugins: [], fetch: [], extract: [] }

  it('says where stackbk comes from, and has room to write that down', () => {
    expect(kitPage(request)).toMatch(/no public registry[^]*stackbk-1\.2\.3\.tgz[^]*__________\n/)
    expect(kitPage(request)).not.toContain('these plugins')
  })

  it('says how to install stackbk from the kit', () => {
    const page = kitPage({ ...request, program: 'stackbk-1.2.3.tgz' })
    expect(page).toContain('\n  npm install --global --offline ./stackbk-1.2.3.tgz\n')
    expect(page).not.toContain('______')
  })

  it('says of each installed plugin how it comes back, and leaves room for where it is kept', () => {
    const page = kitPage({ ...request, plugins: ['stackbk-plugin-sftp 1.2.0', 'stackbk-plugin-matrix 2.0.0'] })
    expect(page).toContain('Needed too, these plugins: stackbk-plugin-sftp 1.2.0, stackbk-plugin-matrix 2.0.0. They are not in this kit.')
    expect(page.match(/^The plugin (.*), from its tarball\. Write down where a copy of it is kept:\n\n {2}_+\n\n {2}stackbk plugins install file:\/PATH\/TO\/ITS\/TARBALL\.tgz$/gm)).toHaveLength(2)
    expect(kitPage(request)).not.toContain('plugins install')
  })
})
