import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

import typescript from 'typescript'

const source = fileURLToPath(new URL('../../src', import.meta.url))

const packages = fileURLToPath(new URL('../../packages', import.meta.url))

/** The core's lower floors as JavaScript, with the contract, for tests that need whole processes of them. Gives the folder. */
export function compileSource(target: string, parts: readonly string[] = ['errors.ts', 'host', 'config', 'stacks']): string {
  for (const part of parts) compileFolder(join(source, part), target, source)
  writeFileSync(join(target, 'package.json'), '{"type":"module"}')
  compilePackage('contract', target)
  return target
}

/** One of our own packages, from its source and not from a build, where the compiled source finds it. */
export function compilePackage(name: string, target: string): void {
  const home = join(target, 'node_modules/@stackbk', name)
  compileFolder(join(packages, name, 'src'), home)
  writeFileSync(join(home, 'package.json'), JSON.stringify({ type: 'module', exports: { '.': './index.js', './*': './*.js' } }))
}

/** All TypeScript of a folder, or one file, below the target as it lies below `from`. */
export function compileFolder(folder: string, target: string, from = folder): void {
  const options: typescript.CompilerOptions = { module: typescript.ModuleKind.ESNext, target: typescript.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  for (const file of filesOf(folder)) {
    const { outputText } = typescript.transpileModule(readFileSync(file, 'utf8'), { compilerOptions: options })
    const compiled = join(target, relative(from, file).replace(/\.ts$/, '.js'))
    mkdirSync(dirname(compiled), { recursive: true })
    writeFileSync(compiled, outputText)
  }
}

function filesOf(path: string): string[] {
  if (path.endsWith('.ts')) return [path]
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(path, name))
}
