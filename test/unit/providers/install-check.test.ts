import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

import type { Exec, ToolRequest, ToolResult } from '@stackbk/contract'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'

import { checkBeforeInstall, type PluginSpec } from '../../../src/providers/install-check.js'
import { errorOf } from '../stages/fixtures.js'

const host = { dataDir: '/nothing-of-this-name', npmRegistry: 'http://127.0.0.1:1/', plugins: new Map(), pjson: { dependencies: { '@stackbk/plugin-restic': '1.0.0' } } } as unknown as Parameters<typeof checkBeforeInstall>[0]
const npm: PluginSpec = { type: 'npm', name: 'shelf', tag: 'latest' }
const plugin = { name: 'shelf', version: '2.0.0', oclif: {} }

/** An npm that "fetches" a tarball with these files, or anything else that is written. */
function npmWith(write: (folder: string) => Promise<void>, exitCode = 0): { readonly exec: Exec; readonly asked: ToolRequest[] } {
  const asked: ToolRequest[] = []
  const run = async (request: ToolRequest): Promise<ToolResult> => {
    asked.push(request)
    await write(request.args.find((arg) => arg.startsWith('--pack-destination='))?.split('=')[1] ?? '')
    return { outcome: 'exited', exitCode } as ToolResult
  }
  return { exec: { run, start: () => { throw new Error('not in this test') } }, asked }
}

const tarball = (files: Record<string, object>) => async (folder: string): Promise<void> => {
  const archive = pack()
  for (const [name, content] of Object.entries(files)) archive.entry({ name: `package/${name}` }, JSON.stringify(content))
  archive.finalize()
  await pipeline(archive, createGzip(), createWriteStream(join(folder, 'shelf-2.0.0.tgz')))
}

describe('a plugin that is about to be installed', () => {
  it('is fetched by the registry of the installation, with nothing of it run', async () => {
    const { exec, asked } = npmWith(tarball({ 'package.json': { ...plugin, stackbk: { apiVersion: 1 } } }))
    expect(await checkBeforeInstall(host, npm, exec)).toBe('shelf')
    expect(asked[0]?.args).toEqual(expect.arrayContaining(['pack', '--ignore-scripts', '--registry=http://127.0.0.1:1/']))
    expect(asked[0]?.args.slice(-2)).toEqual(['--', 'shelf@latest'])
  })

  it.each([
    ['for a newer contract', { ...plugin, stackbk: { apiVersion: 2 } }, {}, 'version 2 of the contract'],
    ['that brings a newer contract along', plugin, { name: '@stackbk/contract', version: '1.0.0', stackbk: { apiVersion: 3 } }, 'version 3 of the contract'],
    ['whose version is none', { ...plugin, stackbk: { apiVersion: 'one' } }, {}, 'does not say which version'],
    ['that is no plugin', { name: 'shelf', version: '2.0.0' }, {}, 'has no "oclif"'],
    ['with the name of a bundled one', { ...plugin, name: '@stackbk/plugin-restic' }, {}, 'would not be used'],
  ])('%s is refused', async (_, facts, contract, reason) => {
    const { exec } = npmWith(tarball({ 'package.json': facts, 'node_modules/@stackbk/contract/package.json': contract }))
    expect(await errorOf(() => checkBeforeInstall(host, { type: 'repo', url: 'file:/x.tgz' }, exec))).toMatchObject({ kind: 'configuration', detail: expect.stringContaining(reason) })
  })

  it('with the name of a bundled one is refused before it is fetched', async () => {
    const { exec, asked } = npmWith(async () => {})
    expect(await errorOf(() => checkBeforeInstall(host, { ...npm, name: '@stackbk/plugin-restic' }, exec))).toMatchObject({ code: 'bundled-plugin' })
    expect(asked).toEqual([])
  })

  it.each(['./shelf.tgz', '../shelf', '/srv/shelf.tgz'])('given as %s would be looked for on GitHub, which is told with the right words for it', async (path) => {
    const { exec, asked } = npmWith(async () => {})
    const error = await errorOf(() => checkBeforeInstall(host, { type: 'repo', url: `https://github.com/${path}` }, exec))
    expect(error).toMatchObject({ code: 'not-a-file', fix: expect.stringMatching(/^Run: stackbk plugins install file:\/.*shelf/) })
    expect(asked).toEqual([])
  })

  it('that says no version is judged when it is loaded', async () => {
    expect(await checkBeforeInstall(host, npm, npmWith(tarball({ 'package.json': plugin })).exec)).toBe('shelf')
  })

  it.each([
    ['cannot be fetched', npmWith(async () => {}, 1)],
    ['comes as nothing', npmWith(async () => {})],
    ['comes without a package.json', npmWith(tarball({ 'other.json': {} }))],
  ])('and %s is left to npm to complain of', async (_, { exec }) => {
    expect(await checkBeforeInstall(host, npm, exec)).toBeNull()
  })
})
