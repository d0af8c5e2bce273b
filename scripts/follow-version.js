// Run after `npx changeset version`. changesets knows the workspaces only, and stackbk itself is the root: this gives it the
// version that they have now, and takes their new entry over into CHANGELOG.md. Does nothing where that is done already.
import { readFileSync, writeFileSync } from 'node:fs'

const at = (path) => new URL(`../${path}`, import.meta.url)
const { version } = JSON.parse(readFileSync(at('packages/contract/package.json'), 'utf8'))

const root = JSON.parse(readFileSync(at('package.json'), 'utf8'))
const dependencies = Object.fromEntries(Object.entries(root.dependencies).map(([name, pin]) => [name, name.startsWith('@stackbk/') ? version : pin]))
if (root.version !== version) writeFileSync(at('package.json'), `${JSON.stringify({ ...root, version, dependencies }, null, 2)}\n`)

const changelog = readFileSync(at('CHANGELOG.md'), 'utf8')
if (!changelog.includes(`\n## ${version}\n`)) {
  // Every changeset names @stackbk/contract (CONTRIBUTING.md), so all entries are there.
  const entries = readFileSync(at('packages/contract/CHANGELOG.md'), 'utf8')
  const begin = entries.indexOf(`## ${version}\n`)
  const end = entries.indexOf('\n## ', begin + 1)
  if (begin === -1) throw new Error(`packages/contract/CHANGELOG.md has no entry for ${version}: run npx changeset version first`)
  const entry = entries.slice(begin, end === -1 ? undefined : end).trim()
  const first = changelog.indexOf('\n## ')
  writeFileSync(at('CHANGELOG.md'), `${changelog.slice(0, first)}\n${entry}\n${changelog.slice(first)}`)
}
