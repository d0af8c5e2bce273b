import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { cruise, type ICruiseOptions, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const rules = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: IFlattenedRuleSet['forbidden']; options: ICruiseOptions }

/** The rules of the house, tried on small houses: a check that never complains is none. */
describe('the check of the layers', () => {
  let folder = ''

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stackbk-layers-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  /** The names of the rules that a house of these files violates. */
  async function complaints(files: Record<string, string>): Promise<string[]> {
    for (const [path, text] of Object.entries({ 'src/errors.ts': 'export const kind = 1\n', ...files })) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const { tsConfig: _tsConfig, ...options } = rules.options as ICruiseOptions & { tsConfig?: unknown }
    const { output } = await cruise(['src', ...(Object.keys(files).some((path) => path.startsWith('plugins/')) ? ['plugins'] : [])], { ...options, baseDir: folder, validate: true, ruleSet: { forbidden: rules.forbidden ?? [] } })
    return [...new Set((output as ICruiseResult).summary.violations.map(({ rule }) => rule.name))].sort()
  }

  const importOf = (path: string): string => `import { x } from '${path}'\nexport const y = x\n`
  const x = 'export const x = 1\n'

  it('has nothing against a row that imports those above it and its own folder', async () => {
    expect(await complaints({ 'src/host/lock.ts': `import { x } from './file.js'\nimport { kind } from '../errors.js'\nexport const y = [x, kind]\n`, 'src/host/file.ts': x, 'src/stages/backup.ts': `import { y } from '../host/lock.js'\nexport const z = y\n` })).toEqual([])
  })

  it('complains when the core imports a plugin by its name, as npm links it', async () => {
    mkdirSync(join(folder, 'node_modules/@stackbk'), { recursive: true })
    symlinkSync('../../plugins/restic', join(folder, 'node_modules/@stackbk/plugin-restic'))
    const manifest = { name: '@stackbk/plugin-restic', type: 'module', exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } } }
    const found = await complaints({ 'src/stages/backup.ts': importOf('@stackbk/plugin-restic'), 'plugins/restic/package.json': JSON.stringify(manifest), 'plugins/restic/dist/index.js': x, 'plugins/restic/dist/index.d.ts': x, 'plugins/restic/src/index.ts': x })
    expect(found).toContain('src-imports-no-plugin')
  })

  it.each([
    ['the host imports a stage', { 'src/host/lock.ts': importOf('../stages/backup.js'), 'src/stages/backup.ts': x }, 'host-stands-below'],
    ['the configuration imports stacks', { 'src/config/ini.ts': importOf('../stacks/dirlist.js'), 'src/stacks/dirlist.ts': x }, 'config-stands-below'],
    ['a stage imports the terminal', { 'src/stages/backup.ts': importOf('../ui/table.js'), 'src/ui/table.ts': x }, 'stages-stands-below'],
    ['errors import a row', { 'src/errors.ts': importOf('./host/file.js'), 'src/host/file.ts': x }, 'errors-stands-below'],
    ['only a type is imported', { 'src/host/lock.ts': `import type { T } from '../stages/backup.js'\nexport const y: T = 1\n`, 'src/stages/backup.ts': 'export type T = number\n' }, 'host-stands-below'],
    ['two files import each other', { 'src/host/a.ts': importOf('./b.js'), 'src/host/b.ts': `import { y } from './a.js'\nexport const x = y\n` }, 'no-circles'],
    ['the core imports a plugin', { 'src/stages/backup.ts': importOf('../../plugins/restic/src/index.js'), 'plugins/restic/src/index.ts': x }, 'src-imports-no-plugin'],
    ['a plugin imports the core', { 'plugins/restic/src/index.ts': importOf('../../../src/host/file.js'), 'src/host/file.ts': x }, 'plugins-import-only-packages'],
    ['a plugin imports another', { 'plugins/restic/src/index.ts': importOf('../../rclone/src/index.js'), 'plugins/rclone/src/index.ts': x }, 'plugins-import-only-packages'],
    ['a stage runs a tool itself', { 'src/stages/backup.ts': `import { spawn } from 'node:child_process'\nexport const y = spawn\n` }, 'plugins-do-not-run-tools-themselves'],
    ['a hook imports a stage', { 'src/hooks/hook.ts': importOf('../stages/backup.js'), 'src/stages/backup.ts': x }, 'hooks-use-errors-config-providers-ui'],
    ['an import leads nowhere', { 'src/host/lock.ts': importOf('./nowhere.js') }, 'nothing-unresolved'],
    ['a command uses execa', { 'src/commands/backup.ts': `import { execa } from 'execa'\nexport const y = execa\n`, 'node_modules/execa/package.json': '{"name":"execa","version":"1.0.0","main":"index.js"}', 'node_modules/execa/index.js': 'exports.execa = 1\n' }, 'execa-has-one-home'],
    ['a stage knows oclif', { 'src/stages/backup.ts': `import { Command } from '@oclif/core'\nexport const y = Command\n`, 'node_modules/@oclif/core/package.json': '{"name":"@oclif/core","version":"1.0.0","main":"index.js"}', 'node_modules/@oclif/core/index.js': 'exports.Command = 1\n' }, 'stages-know-no-oclif-and-no-terminal'],
  ])('complains when %s', async (_, files, rule) => {
    expect(await complaints(files)).toContain(rule)
  })
})
