// Writes the tables of docs/configuration.md from what the core and its plugins declare, as built in dist. Everything
// outside the marks stays as it is. With --check: fails when the file differs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { catalogueOf } from '../dist/config/catalogue.js'
import { coreSettings } from '../dist/config/core-settings.js'
import { parseIni } from '../dist/config/ini-file.js'
import { resolveSetting } from '../dist/config/resolution.js'
import { describeRange, writeSetting } from '../dist/config/setting-value.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = `${root}docs/configuration.md`

/** Of the system, or taken from elsewhere: what `default` alone cannot say. */
const defaultsInWords = {
  'local_backup/HOSTNAME': "the system's",
  'docker/DIRLIST': '`dirlist` beside the configuration file',
  'cloud_sync/RCLONE_CONFIG': "rclone's own",
}

const descriptors = await pluginDescriptors()
const declarations = [...coreSettings, ...descriptors.flatMap(({ settings }) => settings)]
for (const name of Object.keys(defaultsInWords)) {
  if (!declarations.some(({ section, key }) => `${section}/${key}` === name)) throw new Error(`scripts/write-docs.js speaks of ${name}, which nobody declares`)
}

const before = readFileSync(file, 'utf8')
const sections = [...new Set(declarations.map(({ section }) => section))]
let after = before
for (const section of sections) {
  const marks = new RegExp(`(<!-- begin keys of ${section} -->\\n)[\\s\\S]*?(<!-- end keys of ${section} -->)`)
  if (!marks.test(after)) throw new Error(`docs/configuration.md has no marks for the keys of [${section}]`)
  after = after.replace(marks, (_, begin, end) => `${begin}${table(section)}${end}`)
}

if (process.argv.includes('--check')) {
  if (before !== after) {
    process.stderr.write('docs/configuration.md is not up to date: run node scripts/write-docs.js and commit it\n')
    process.exitCode = 1
  }
} else if (before !== after) {
  writeFileSync(file, after)
}

/** What the bundled plugins export as descriptors. */
async function pluginDescriptors() {
  const found = []
  for (const name of readdirSync(`${root}plugins`).sort()) {
    const plugin = await import(pathToFileURL(`${root}plugins/${name}/dist/index.js`).href)
    found.push(...new Set(Object.values(plugin).filter((value) => Array.isArray(value?.settings) && typeof value.create === 'function')))
  }
  return found
}

function table(section) {
  // A notification's type says again, and more exactly, what keys of the core's it takes.
  const isFirst = ({ key }, index, all) => all.findIndex((other) => other.key === key) === index
  const rows = declarations.filter((declaration) => declaration.section === section).filter(isFirst).map((declaration) => `| ${cells(declaration).join(' | ')} |\n`)
  return `| key (other names) | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`
}

function cells(declaration) {
  const { key, aliases = [], flatAliases = [], help } = declaration
  const names = [...aliases.map(code), ...flatAliases.map((alias) => `old form: ${code(alias)}`)]
  const variable = environmentVariable(declaration)
  const remarks = [
    ...(declaration.secret === true ? ['a secret'] : []),
    ...(declaration.credential === true ? ['may be `credential:NAME`'] : []),
    ...(declaration.oneOf === undefined ? [] : [`of the keys for the ${declaration.oneOf} the first given counts`]),
    ...(variable === null ? [] : [`else taken from \`$${variable}\``]),
  ]
  return [
    `${code(key)}${names.length === 0 ? '' : ` (${names.join(', ')})`}`,
    typeInWords(declaration),
    defaultInWords(declaration),
    [help, ...remarks].join('; ').replaceAll('|', '\\|'),
  ]
}

function typeInWords(declaration) {
  const range = describeRange(declaration)
  const type = declaration.type === 'choice' ? (declaration.choices ?? []).map(code).join(', ') : declaration.type
  return range === '' ? type : `${type}, ${range}`
}

function defaultInWords(declaration) {
  const inWords = defaultsInWords[`${declaration.section}/${declaration.key}`]
  if (inWords !== undefined) return inWords
  if (declaration.required === true) return '– (required where it is needed)'
  if (declaration.default === undefined || declaration.default === null) return declaration.section === 'stack' ? 'as in general' : 'none'
  const written = writeSetting(declaration, declaration.default)
  return written === '' ? 'none' : code(written)
}

/** The environment variable that counts where the file is silent; `null` for none. Asked of the program itself. */
function environmentVariable(declaration) {
  const source = {
    ini: parseIni(''),
    catalogue: catalogueOf(descriptors),
    place: { folder: '/', home: '/', credentials: null },
    environment: { [declaration.key]: '/given' },
  }
  const { origin } = resolveSetting(source, declaration.section, declaration)
  return origin.kind === 'environment' ? origin.name : null
}

function code(text) {
  return `\`${text}\``
}
