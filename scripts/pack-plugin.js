// Packs a plugin of this repository that does not come with stackbk, with all that it needs inside: what is installed for one
// user must not depend on what a registry happens to have, and our scope is not registered.
//
//   node scripts/pack-plugin.js plugins/rsync FOLDER
//
// `npm pack` bundles only what lies in the package's own node_modules, and a workspace's dependencies lie in the root's: so it is
// packed from a copy that has them. Prints the tarball's path.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const [source, target] = process.argv.slice(2).map((path) => resolve(path))
if (source === undefined || target === undefined) throw new Error('usage: node scripts/pack-plugin.js PLUGIN FOLDER')

/** To run it. Types of what a plugin uses inside are most of the files. */
const notNeeded = /\/(node_modules|dist-types|docs?|tests?)$|\.(map|tsbuildinfo|d\.[cm]?ts|md)$/i

const staged = mkdtempSync(join(tmpdir(), 'stackbk-pack-'))
try {
  const facts = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  delete facts.devDependencies
  copyPackage(source, staged)
  addDependencies(source, staged)
  // oclif is stackbk's own; npm fetches a peer that is not optional, and hundreds of files with it.
  const optional = Object.fromEntries(Object.keys(facts.peerDependencies ?? {}).map((name) => [name, { optional: true }]))
  const packed = { ...facts, peerDependenciesMeta: optional, bundleDependencies: Object.keys(facts.dependencies ?? {}) }
  writeFileSync(join(staged, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`)
  mkdirSync(target, { recursive: true })
  const printed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', `--pack-destination=${target}`], { cwd: staged, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const [{ filename }] = JSON.parse(printed)
  process.stdout.write(`${join(target, filename)}\n`)
} finally {
  rmSync(staged, { recursive: true, force: true })
}

/** What it would be published with. An installed package of a registry is that already. */
function copyPackage(from, to) {
  const isInstalled = dirname(realpathSync(from)).split('/').includes('node_modules')
  const { files = [] } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
  const parts = isInstalled ? ['.'] : ['package.json', 'README.md', 'LICENSE', ...files]
  for (const part of parts.filter((name) => existsSync(join(from, name)))) {
    cpSync(join(realpathSync(from), part), join(to, part), { recursive: true, filter: (path) => !notNeeded.test(path) })
  }
}

/** Each as near to the top as it fits, as npm itself lays them out. */
function addDependencies(from, to) {
  const { dependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    const found = resolvePackage(name, from)
    const { version } = JSON.parse(readFileSync(join(found, 'package.json'), 'utf8'))
    const top = join(staged, 'node_modules', name)
    const isTaken = existsSync(top)
    if (isTaken && JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')).version === version) continue
    const place = isTaken ? join(to, 'node_modules', name) : top
    if (existsSync(place)) continue
    mkdirSync(place, { recursive: true })
    copyPackage(found, place)
    addDependencies(found, place)
  }
}

function resolvePackage(name, from) {
  for (let folder = realpathSync(from); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (existsSync(candidate)) return candidate
    if (folder === dirname(folder)) throw new Error(`${name}, which ${from} needs, is not installed`)
  }
}
