import type { Offers } from '../providers/offers.js'

/** Names of the packages that a call is installing: oclif tells its hook before, and not the one after. */
const installing: string[] = []

export function noteInstalling(name: string | null): void {
  if (name !== null) installing.push(name)
}

/** Those noted since it was asked last. */
export function takeInstalled(): readonly string[] {
  return installing.splice(0)
}

/** What these packages provide, a line each; what cannot be used, and why. */
export function describeInstalled(offers: Offers, names: readonly string[]): string {
  return names.flatMap((name) => provisionsOf(offers, name).map((line) => `${name}: ${line}`)).join('\n')
}

/** What one package provides, in words. */
export function provisionsOf({ usable, unusable, plugins }: Offers, name: string): readonly string[] {
  const provided = usable.filter(({ plugin }) => plugin === name).map(({ descriptor: { kind, id, title } }) => `${kind} ${id} (${title})`)
  const listens = plugins.some((plugin) => plugin.name === name && plugin.listens) ? ['listens to events'] : []
  const lines = [...provided, ...listens, ...unusable.filter(({ plugin }) => plugin === name).map(({ kind, id, reason }) => `${[kind, id].filter((part) => part !== '').join(' ')}${id === '' ? '' : ': '}${reason}`)]
  return lines.length === 0 ? ['provides nothing to stackbk'] : lines
}
