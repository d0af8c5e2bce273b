// The house, ground floor first: a row may import the rows above it and its own folder, nothing else.
const rows = [
  { name: 'contract', path: '^packages/contract/' },
  { name: 'tool-runner', path: '^packages/tool-runner/' },
  { name: 'errors', path: '^src/(errors|counted)\\.ts$' },
  { name: 'host', path: '^src/host/' },
  { name: 'config', path: '^src/config/' },
  { name: 'stacks', path: '^src/stacks/' },
  { name: 'providers', path: '^src/providers/' },
  { name: 'stages', path: '^src/stages/' },
  { name: 'ui', path: '^src/ui/' },
  { name: 'commands', path: '^src/commands/' },
]

const upwards = rows.slice(0, -1).map((row, index) => ({
  name: `${row.name}-stands-below`,
  comment: `${row.name} may import only the rows above it in docs/design.md and its own folder`,
  severity: 'error',
  from: { path: row.path },
  to: { path: rows.slice(index + 1).map((other) => other.path) },
}))

/** One home for each of these libraries. */
const home = (library, path) => ({
  name: `${library}-has-one-home`,
  severity: 'error',
  from: { path: '^(src|packages|plugins)/', pathNot: path },
  to: { path: `node_modules/${library}/` },
})

module.exports = {
  forbidden: [
    ...upwards,
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'src-imports-no-plugin', severity: 'error', from: { path: '^(src|packages)/' }, to: { path: '^plugins/|node_modules/@stackbk/plugin-' } },
    { name: 'plugins-import-only-packages', severity: 'error', from: { path: '^plugins/([^/]+)/' }, to: { path: '^(src/|plugins/)', pathNot: '^plugins/$1/' } },
    { name: 'plugins-do-not-run-tools-themselves', severity: 'error', from: { path: '^(plugins/[^/]+/src|src)/' }, to: { path: '^(node:)?child_process$' } },
    { name: 'hooks-use-errors-config-providers-ui', severity: 'error', from: { path: '^src/hooks/' }, to: { path: '^src/(stages|stacks|host|commands)/' } },
    { name: 'stages-know-no-oclif-and-no-terminal', severity: 'error', from: { path: '^src/(stages|stacks|config|host)/|^src/errors' }, to: { path: 'node_modules/(@oclif|listr2|enquirer)/', dependencyTypesNot: ['type-only'] } },
    home('execa', '^packages/tool-runner/'),
    home('listr2', '^src/ui/'),
    home('enquirer', '^src/ui/'),
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // Neither dist nor what is outside is left out: an import of a plugin by its name leads to its dist, and one that leads
    // nowhere has no path at all.
    doNotFollow: { path: 'node_modules|/dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
}
