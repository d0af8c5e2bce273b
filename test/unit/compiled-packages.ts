import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { compilePackage, compileSource } from './compiled-source.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The same as {@link compileSource}, with what it imports of our own packages, from their sources and not from a build. */
export function compileWithPackages(target: string, parts: readonly string[]): string {
  compileSource(target, parts)
  compilePackage('tool-runner', target)
  // They lie next to what is compiled of the package, as they lie next to its `dist`.
  symlinkSync(join(root, 'packages/tool-runner/programs'), join(target, 'node_modules/@stackbk/programs'))
  symlinkSync(join(root, 'node_modules/execa'), join(target, 'node_modules/execa'))
  return target
}
