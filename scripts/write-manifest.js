// Writes oclif.manifest.json, of the program and of each bundled plugin that has commands: from it oclif knows all commands
// without loading one. With --check: fails when one differs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { Plugin } from '@oclif/core'

const top = fileURLToPath(new URL('..', import.meta.url))
const { bundleDependencies } = JSON.parse(readFileSync(`${top}package.json`, 'utf8'))
const plugins = readdirSync(`${top}plugins`)
  .map((name) => `${top}plugins/${name}/`)
  .filter((root) => {
    const { name, oclif } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
    return oclif.commands !== undefined && (bundleDependencies === true || bundleDependencies.includes(name))
  })

for (const root of [top, ...plugins]) {
  const file = `${root}oclif.manifest.json`
  const text = await manifestOf(root)
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text)
  } else if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write(`${file} is not up to date: run npm run build and commit it\n`)
    process.exitCode = 1
  }
}

async function manifestOf(root) {
  const plugin = new Plugin({ root, type: 'core', ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true })
  await plugin.load()
  const manifest = JSON.parse(JSON.stringify(plugin.manifest))
  for (const command of Object.values(manifest.commands)) {
    // Both tie the manifest to the place and the kind of this checkout.
    delete command.isESM
    delete command.relativePath
  }
  const commands = Object.fromEntries(Object.entries(manifest.commands).sort(([one], [other]) => (one < other ? -1 : 1)))
  return `${JSON.stringify({ commands, version: manifest.version }, null, 2)}\n`
}
