// Writes oclif.manifest.json, from which oclif knows all commands without loading one. With --check: fails when it differs.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { Plugin } from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = fileURLToPath(new URL('../oclif.manifest.json', import.meta.url))

const plugin = new Plugin({ root, type: 'core', ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true })
await plugin.load()
const manifest = JSON.parse(JSON.stringify(plugin.manifest))
for (const command of Object.values(manifest.commands)) {
  // Both tie the manifest to the place and the kind of this checkout.
  delete command.isESM
  delete command.relativePath
}
const commands = Object.fromEntries(Object.entries(manifest.commands).sort(([one], [other]) => (one < other ? -1 : 1)))
const text = `${JSON.stringify({ commands, version: manifest.version }, null, 2)}\n`

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write('oclif.manifest.json is not up to date: run npm run build and commit it\n')
    process.exitCode = 1
  }
} else {
  writeFileSync(file, text)
}
