import { kitNames } from './contents.js'
import { textIn, unusable, type KitFile } from './archive.js'

/** What a kit says of itself. */
export interface KitManifest {
  readonly schemaVersion: 1
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly host: string
  readonly repositoryId: string
  readonly repository: string
  readonly remote: string
}

export function manifestFile(manifest: KitManifest): KitFile {
  return { name: kitNames.manifest, content: Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`) }
}

/** Throws `corrupt` (6) where the kit has none. */
export function manifestIn(files: readonly KitFile[]): KitManifest {
  const text = textIn(files, kitNames.manifest)
  try {
    const manifest = JSON.parse(text ?? '') as KitManifest
    if (manifest.schemaVersion === 1 && typeof manifest.repositoryId === 'string') return manifest
  } catch {
    // Told below.
  }
  throw unusable(`it has no ${kitNames.manifest} of a kind that this version knows`)
}
