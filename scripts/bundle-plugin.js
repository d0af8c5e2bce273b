// `npm pack` in a plugin that is not bundled runs this before and after: for as long as it packs, the plugin's folder holds all
// that it needs, as scripts/pack-plugin.js puts it together, so that the tarball carries it. Afterwards all is as it was.
//
//   "prepack": "node ../../scripts/bundle-plugin.js all", "postpack": "node ../../scripts/bundle-plugin.js own"
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const plugin = process.cwd()
const changed = ['package.json', 'node_modules']
const at = (name) => join(plugin, name)
const aside = (name) => join(plugin, `.${name}-of-the-checkout`)

restore()
if (process.argv[2] === 'all') {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-bundle-'))
  try {
    const packer = fileURLToPath(new URL('pack-plugin.js', import.meta.url))
    const tarball = execFileSync(process.execPath, [packer, plugin, folder], { encoding: 'utf8' }).trim()
    execFileSync('tar', ['-xzf', tarball, '-C', folder])
    for (const name of changed) {
      if (existsSync(at(name))) renameSync(at(name), aside(name))
      else mkdirSync(aside(name))
      cpSync(join(folder, 'package', name), at(name), { recursive: true })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Also what one that was cut short has left. An empty folder stands for one that was not there. */
function restore() {
  for (const name of changed.filter((one) => existsSync(aside(one)))) {
    rmSync(at(name), { recursive: true, force: true })
    const wasThere = !statSync(aside(name)).isDirectory() || readdirSync(aside(name)).length > 0
    if (wasThere) renameSync(aside(name), at(name))
    else rmSync(aside(name), { recursive: true })
  }
}
