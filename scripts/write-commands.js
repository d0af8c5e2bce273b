// Writes what follows from the commands' own declarations, as the manifests have them: docs/commands.md, the manual pages in
// man/ (and their names in package.json), and test/snapshots/commands.json, in which a change of the interface is seen. With --check: fails where one differs.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version, description } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const manifests = ['', ...readdirSync(`${root}plugins`).map((name) => `plugins/${name}/`)].map((folder) => `${root}${folder}oclif.manifest.json`).filter((file) => existsSync(file))
const bundled = new Set(Object.keys(JSON.parse(readFileSync(`${root}package.json`, 'utf8')).dependencies))
const commands = manifests
  .flatMap((file) => Object.values(JSON.parse(readFileSync(file, 'utf8')).commands))
  .filter(({ hidden, pluginName }) => hidden !== true && (pluginName === 'stackbk' || bundled.has(pluginName)))
  .map(described)
  .sort((one, other) => (one.name < other.name ? -1 : 1))
const globalFlags = commands[0].flags.filter(({ isGlobal }) => isGlobal)

const manuals = ['man/stackbk.1', ...commands.map(({ name }) => `man/${fileName(name)}`)]
const pages = new Map([
  ['package.json', packageWith(manuals)],
  ['docs/commands.md', markdown()],
  ['test/snapshots/commands.json', `${JSON.stringify(snapshot(), null, 2)}\n`],
  ['man/stackbk.1', overview()],
  ...commands.map((command) => [`man/${fileName(command.name)}`, manual(command)]),
])
const stale = (existsSync(`${root}man`) ? readdirSync(`${root}man`) : []).map((name) => `man/${name}`).filter((file) => !pages.has(file))
const differing = [...pages].filter(([file, text]) => !existsSync(root + file) || readFileSync(root + file, 'utf8') !== text).map(([file]) => file)

if (process.argv.includes('--check')) {
  for (const file of [...differing, ...stale]) process.stderr.write(`${file} is not what the commands say: run npm run build, node scripts/write-commands.js, and commit it\n`)
  if (differing.length + stale.length > 0) process.exitCode = 1
} else {
  for (const file of stale) rmSync(root + file)
  for (const file of differing) {
    mkdirSync(dirname(root + file), { recursive: true })
    writeFileSync(root + file, pages.get(file))
  }
}

function fileName(name) {
  return `stackbk-${name.replaceAll(' ', '-')}.1`
}

/** npm puts under man's path only what the package names. */
function packageWith(man) {
  const before = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  return `${JSON.stringify({ ...before, man }, null, 2)}\n`
}

/** A command in the form that all of the pages take. */
function described(command) {
  const [text, codes = ''] = splitAt(command.description ?? '', 'EXIT CODES\n')
  return {
    name: command.id.replaceAll(':', ' '),
    summary: command.summary,
    text: text.trim(),
    aliases: [...command.aliases, ...command.hiddenAliases].map((alias) => alias.replaceAll(':', ' ')),
    args: Object.values(command.args).filter(({ hidden }) => hidden !== true).map(({ name, description: help, required = false, multiple = false, options }) => ({ name, help, required, multiple: multiple || command.strict === false, options })),
    flags: Object.values(command.flags)
      .filter(({ hidden }) => hidden !== true)
      .map(({ name, char, description: help, helpValue, type, options, multiple = false, default: usual, required = false, helpGroup }) => ({ name, char, help, value: type === 'option' ? (options?.join('|') ?? helpValue ?? 'VALUE') : null, options, multiple, usual: typeof usual === 'object' || usual === false ? undefined : usual, required, isGlobal: helpGroup === 'GLOBAL', group: helpGroup }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
    codes: codes.split('\n').filter((line) => line !== '').map((line) => /^([\d, ]*\d) (.*)$/.exec(line)?.slice(1) ?? ['', line]),
    examples: command.examples.map((example) => example.replaceAll('<%= config.bin %>', 'stackbk')),
  }
}

function splitAt(text, mark) {
  const index = text.indexOf(mark)
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + mark.length)]
}

function usage({ name, args, flags }) {
  const words = args.map(({ name: arg, required, multiple }) => (required ? arg.toUpperCase() : `[${arg.toUpperCase()}]`) + (multiple ? '...' : ''))
  return ['stackbk', name, ...words, ...(flags.length === 0 ? [] : ['[FLAGS]'])].join(' ')
}

function flagWords({ name, char, value }) {
  return [...(char === undefined ? [] : [`-${char}`]), `--${name}`].join(', ') + (value === null ? '' : ` ${value}`)
}

/** Flags by the heading that they stand under in the help, those without one first. */
function groupsOf(flags) {
  const groups = [...new Set(flags.map(({ group = '' }) => group))].sort((one, other) => Number(one !== '') - Number(other !== ''))
  return groups.map((group) => [group, flags.filter((flag) => (flag.group ?? '') === group)])
}

/** A heading such as `WITH --recover` as the beginning of a sentence. */
function inMarkdown(group) {
  return group.replace(/^[A-Z]+/, (word) => word[0] + word.slice(1).toLowerCase()).replace(/--[a-z-]+/g, (flag) => `\`${flag}\``)
}

function helpOf({ help, usual, multiple }) {
  return [help, ...(usual === undefined ? [] : [`default: ${usual}`]), ...(multiple ? ['may be given more than once'] : [])].join('; ')
}

function markdown() {
  const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const table = (head, rows) => (rows.length === 0 ? '' : `| ${head.join(' | ')} |\n|${' --- |'.repeat(head.length)}\n${rows.map((row) => `| ${row.map(cell).join(' | ')} |\n`).join('')}\n`)
  const flagRows = (flags) => flags.map((flag) => [`\`${flagWords(flag)}\``, helpOf(flag)])
  const sections = commands.map((command) => {
    const own = command.flags.filter(({ isGlobal }) => !isGlobal)
    return [
      `## ${command.name}\n\n`,
      `${command.summary}\n\n`,
      `\`\`\`\n${usage(command)}\n\`\`\`\n\n`,
      command.text === '' ? '' : `${command.text.replaceAll('<', '&lt;')}\n\n`,
      command.aliases.length === 0 ? '' : `Also called ${command.aliases.map((alias) => `\`${alias}\``).join(', ')}.\n\n`,
      table(['argument', 'is'], command.args.map(({ name, help, required }) => [`\`${name.toUpperCase()}\``, `${help}${required ? '' : ' (may be left out)'}`])),
      ...groupsOf(own).map(([group, flags]) => `${group === '' ? '' : `${inMarkdown(group)}:\n\n`}${table(['flag', 'does'], flagRows(flags))}`),
      table(['exit code', 'means'], command.codes),
      `\`\`\`sh\n${command.examples.join('\n')}\n\`\`\`\n`,
    ].join('')
  })
  return `# Commands\n\nWritten from the commands themselves by \`node scripts/write-commands.js\`: do not edit. The results that \`--json\` prints are in [json.md](json.md), the keys of the configuration in [configuration.md](configuration.md).\n\n${commands.map(({ name, summary }) => `- [\`${name}\`](#${name.replaceAll(' ', '-')}): ${summary}\n`).join('')}\n## Global flags\n\nBefore or after the command.\n\n${table(['flag', 'does'], flagRows(globalFlags))}\n${sections.join('\n')}`
}

/** What users script against, without prose: a change of wording is none of the interface. */
function snapshot() {
  return Object.fromEntries(
    commands.map(({ name, aliases, args, flags, codes }) => [
      name,
      {
        aliases,
        arguments: args.map(({ name: arg, required, multiple, options }) => ({ name: arg, required, multiple, ...(options === undefined ? {} : { options }) })),
        flags: Object.fromEntries(flags.map(({ name: flag, char, value, options, multiple, usual, required }) => [flag, { ...(char === undefined ? {} : { char }), value: value !== null, ...(options === undefined ? {} : { options }), ...(usual === undefined ? {} : { default: usual }), ...(multiple ? { multiple } : {}), ...(required ? { required } : {}) }])),
        exitCodes: codes.flatMap(([code]) => code.split(', ').map(Number)),
      },
    ]),
  )
}

function roff(text) {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('`', '\\(ga').replaceAll('^', '\\(ha').replaceAll('~', '\\(ti').split('\n').map((line) => (line.startsWith('.') ? `\\&${line}` : line)).join('\n')
}

function title(name) {
  return `.\\" Written by scripts/write-commands.js: do not edit.\n.TH ${roff(name.toUpperCase())} 1 "" "stackbk ${version}" "stackbk"\n`
}

function paragraphs(text) {
  return text.split('\n\n').map((part) => `.PP\n${roff(part)}\n`).join('')
}

function definitions(rows) {
  return rows.map(([term, meaning]) => `.TP\n.B ${roff(term)}\n${roff(meaning)}\n`).join('')
}

function optionsOf(flags) {
  return definitions(flags.map((flag) => [flagWords(flag), helpOf(flag)]))
}

function manual(command) {
  const name = `stackbk-${command.name.replaceAll(' ', '-')}`
  const own = command.flags.filter(({ isGlobal }) => !isGlobal)
  return [
    title(name),
    `.SH NAME\n${roff(name)} \\- ${roff(command.summary)}\n`,
    `.SH SYNOPSIS\n.nf\n${roff(usage(command))}\n.fi\n`,
    command.text === '' ? '' : `.SH DESCRIPTION\n${paragraphs(command.text)}`,
    command.aliases.length === 0 ? '' : `.PP\nAlso called: ${roff(command.aliases.join(', '))}.\n`,
    command.args.length === 0 ? '' : `.SH ARGUMENTS\n${definitions(command.args.map(({ name: arg, help }) => [arg.toUpperCase(), help]))}`,
    `.SH OPTIONS\n${groupsOf(own).map(([group, flags]) => `${group === '' ? '' : `.SS ${roff(group)}\n`}${optionsOf(flags)}`).join('')}${groupsOf(own).length > 1 ? '.SS GLOBAL OPTIONS\n' : ''}${optionsOf(globalFlags)}`,
    `.SH EXIT STATUS\n${definitions(command.codes)}`,
    `.SH EXAMPLES\n.nf\n${roff(command.examples.join('\n'))}\n.fi\n`,
    '.SH SEE ALSO\n.BR stackbk (1)\n',
  ].join('')
}

function overview() {
  return [
    title('stackbk'),
    `.SH NAME\nstackbk \\- ${roff(lowerFirst(description))}\n`,
    '.SH SYNOPSIS\n.nf\nstackbk COMMAND [ARGUMENTS] [FLAGS]\n.fi\n',
    `.SH DESCRIPTION\n${paragraphs('Each enabled stack is noted, stopped, read into a restic repository and started again exactly as it ran; the repository is copied to the cloud; from there, or from the disk, stacks come back up to running containers.')}`,
    `.SH COMMANDS\n${definitions(commands.map(({ name, summary }) => [`stackbk ${name}`, `${summary}; see stackbk-${name.replaceAll(' ', '-')}(1)`]))}`,
    `.SH GLOBAL OPTIONS\nBefore or after the command.\n${definitions(globalFlags.map((flag) => [flagWords(flag), helpOf(flag)]))}`,
    `.SH EXIT STATUS\nEach command's page says which of these it can end with.\n${definitions(generalCodes())}`,
    `.SH FILES\n${definitions([
      ['$XDG_CONFIG_HOME/stackbk/config.ini, /etc/stackbk/config.ini', 'the configuration, unless --config or $STACKBK_CONFIG names another'],
      ['dirlist', 'next to the configuration: which stacks are backed up'],
      ['/var/lib/stackbk, $XDG_STATE_HOME/stackbk', 'the state: journal, run log, what is known of repositories; for root and for others'],
    ])}`,
    `.SH ENVIRONMENT\n${definitions([
      ['STACKBK_CONFIG', 'the configuration file'],
      ['STACKBK_STATE_DIR', 'the state folder'],
      ['STACKBK_DATA_DIR', 'where plugins are installed'],
      ['NO_COLOR', 'no colour'],
    ])}`,
    `.SH SEE ALSO\n${commands.map(({ name }) => `.BR ${roff(`stackbk-${name.replaceAll(' ', '-')}`)} (1)`).join(',\n')}\n`,
  ].join('')
}

/** Each code in the words of the first command that has the general ones. */
function generalCodes() {
  const known = new Map()
  for (const name of ['run', 'sync', 'verify', ...commands.map((command) => command.name)]) {
    for (const [code, meaning] of commands.find((command) => command.name === name)?.codes ?? []) if (/^\d/.test(code) && !known.has(code)) known.set(code, meaning)
  }
  return [...known].sort(([one], [other]) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
}

function lowerFirst(text) {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
