import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { compileFolder, compileSource } from './compiled-source.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The same as {@link compileSource}, with what it imports of our own packages, from their sources and not from a build. */
export function compileWithPackages(target: string, parts: readonly string[]): string {
  compileSource(target, parts)
  for (const name of ['contract', 'tool-runner']) {
    const home = join(target, 'node_modules/@stackbk', name)
    compileFolder(join(root, 'packages', name, 'src'), home)
    writeFileSync(join(home, 'package.json'), JSON.stringify({ type: 'module', exports: { '.': './index.js', './*': './*.js' } }))
  }
  // They lie next to what is compiled of the package, as they lie next to its `dist`.
  symlinkSync(join(root, 'packages/tool-runner/programs'), join(target, 'node_modules/@stackbk/programs'))
  symlinkSync(join(root, 'node_modules/execa'), join(target, 'node_modules/execa'))
  return target
}
