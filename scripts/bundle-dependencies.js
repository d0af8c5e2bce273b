// `npm pack` runs this before and after: the tarball carries all its dependencies, so that it can be installed where no
// registry is in reach. It is not so in the committed package.json, because `npm ci` then fetches one by one what the
// package npm (of plugin-plugins) brings along in itself.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package.json', import.meta.url)
const before = JSON.parse(readFileSync(file, 'utf8'))
const own = Object.keys(before.dependencies).filter((name) => name.startsWith('@stackbk/'))
const after = { ...before, bundleDependencies: process.argv[2] === 'all' ? true : own }
writeFileSync(file, `${JSON.stringify(after, null, 2)}\n`)
