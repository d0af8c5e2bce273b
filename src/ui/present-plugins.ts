import type { Offers } from '../providers/offers.js'
import { type ListedPlugin, listedPlugins, type PluginsResult } from '../stages/plugins.js'
import { blocks } from './present-problems.js'
import { table } from './table.js'

/** A row for each thing that a plugin provides. `all`: those that come with stackbk too. */
export function presentPlugins({ plugins }: PluginsResult, all: boolean): string {
  const shown = plugins.filter(({ origin }) => all || origin !== 'bundled')
  const hint = all ? '' : 'Those that come with stackbk: stackbk plugins --core'
  if (shown.length === 0) return blocks('No plugins installed.', hint)
  const rows = shown.flatMap((plugin) => provisionsOf(plugin).map((words, index) => (index === 0 ? [plugin.name, plugin.version ?? '-', plugin.origin, words] : ['', '', '', words])))
  return blocks(table(['PLUGIN', 'VERSION', 'FROM', 'PROVIDES'], rows), hint)
}

/** A table for each section: what may stand there, and what it means. */
export function presentKeys({ plugins }: PluginsResult, all: boolean): string {
  const keys = plugins.filter(({ origin }) => all || origin !== 'bundled').flatMap(({ name, provides }) => provides.flatMap((provided) => provided.keys.map((key) => ({ name, ...key }))))
  const headings = [...new Set(keys.map(({ name, readIn }) => `${readIn}, of ${name}`))]
  const tables = headings.map((heading) => {
    const rows = keys.filter(({ name, readIn }) => heading === `${readIn}, of ${name}`)
    return `${heading}\n${table(
      ['KEY', 'TYPE', 'DEFAULT', 'MEANING'],
      rows.map(({ key, aliases, type, default: value, required, secret, help }) => [[key, ...aliases].join(', '), type, required ? 'required' : (value ?? '-'), secret ? `${help}; a secret` : help]),
    )}`
  })
  return tables.length === 0 ? 'No installed plugin has keys of its own.' : blocks(...tables)
}

function sectionsOf(keys: ListedPlugin['provides'][number]['keys']): string {
  return [...new Set(keys.map(({ readIn }) => ` ${readIn}`))].join('')
}

/** What has just been installed, a line each. */
export function describeInstalled(offers: Offers, names: readonly string[]): string {
  const plugins = listedPlugins(offers).filter(({ name }) => names.includes(name))
  return plugins.flatMap((plugin) => provisionsOf(plugin).map((words) => `${plugin.name}: ${words}`)).join('\n')
}

/** What one package provides, in words; what of it cannot be used, and why. */
export function provisionsOf({ provides, listens, troubles }: ListedPlugin): readonly string[] {
  const lines = [
    ...provides.map(({ kind, id, title, keys }) => `${kind} ${id}: ${title}${sectionsOf(keys)}`),
    ...(listens ? ['listens to events'] : []),
    ...troubles.map((trouble) => `cannot be used: ${trouble}`),
  ]
  return lines.length === 0 ? ['nothing that stackbk asks for'] : lines
}
