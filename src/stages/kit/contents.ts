import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'

import type { Engine, Keepsake, LiveProvider, Transport } from '@stackbk/contract'

import type { Configuration } from '../../config/configuration.js'
import { setEntry } from '../../config/ini-edit.js'
import { errorFrom } from '../../errors.js'
import type { Run } from '../run.js'
import type { KitFile } from './archive.js'

/** The names of what stackbk itself puts into a kit. */
export const kitNames = { configuration: 'config.ini', dirlist: 'dirlist', manifest: 'kit.json', page: 'README.txt' } as const

/** All that a bare host needs, as it is now. */
export interface KitContents {
  /** Without page and manifest. `lasting`: what of a file does not change by itself, if that is not all of it. */
  readonly files: readonly (KitFile & { readonly lasting?: Uint8Array })[]
  /** Files that have to lie at this path on the new host, because others name them by it. */
  readonly placed: readonly { readonly name: string; readonly place: string }[]
}

/**
 * Gathers the secrets and settings without which the cloud copy is of no use. The configuration is the user's own, changed in
 * the keys alone that name the kit's other files, so that it works from whatever folder the kit is unpacked to.
 *
 * Throws where something of it cannot be read: half a kit is none.
 */
export async function gatherKit(run: Run, engine: Engine, transport: Transport): Promise<KitContents> {
  const { file, exists } = run.configuration
  const keepsakes = [...(await keepsakesOf(run, engine)), ...(await keepsakesOf(run, transport))]
  const { dirlist } = run.configuration.docker
  const hasDirlist = existsSync(dirlist)
  const text = [
    ...relativePaths(run.configuration),
    ...keepsakes.flatMap(({ name, setting }) => (setting === null ? [] : [{ ...setting, value: name }])),
    ...(hasDirlist ? [{ section: 'docker', key: 'DIRLIST', value: kitNames.dirlist }] : []),
  ].reduce((edited, entry) => setEntry(edited, { ...entry, key: asWritten(run.configuration, entry) }), exists ? readFileSync(file, 'utf8') : '')
  return {
    files: [
      { name: kitNames.configuration, content: Buffer.from(text) },
      ...(hasDirlist ? [{ name: kitNames.dirlist, content: readFileSync(dirlist) }] : []),
      ...keepsakes.map(({ name, content, lasting, isBase64 = false }) => ({ name, content: Buffer.from(content.reveal(), isBase64 ? 'base64' : 'utf8'), ...(lasting === undefined ? {} : { lasting: Buffer.from(lasting.reveal()) }) })),
    ],
    placed: keepsakes.flatMap(({ name, place }) => (place === null ? [] : [{ name, place }])),
  }
}

async function keepsakesOf(run: Run, provider: LiveProvider): Promise<readonly Keepsake[]> {
  const kept = await provider.keepsakes?.({ signal: run.signal })
  if (kept === undefined) return []
  if (!kept.ok) throw errorFrom(kept.failure)
  return kept.value
}

/** Paths that begin in the configuration's folder would begin elsewhere in the kit. */
function relativePaths(configuration: Configuration): readonly Entry[] {
  return configuration.resolved().flatMap(({ section, declaration, value, entry }) => {
    const isRelative = declaration.type === 'path' && typeof value === 'string' && entry !== null && isAbsolute(value) && !isAbsolute(entry.value) && entry.value !== '' && !entry.value.startsWith('credential:')
    return isRelative ? [{ section, key: declaration.key, value }] : []
  })
}

interface Entry {
  readonly section: string
  readonly key: string
  readonly value: string
}

/** The user's own name for a key, where it has several: with both there would be two values. */
function asWritten(configuration: Configuration, { section, key }: Entry): string {
  return configuration.resolved().find((resolved) => resolved.section === section && resolved.declaration.key === key)?.entry?.key ?? key
}
