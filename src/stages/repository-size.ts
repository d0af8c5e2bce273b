import type { Engine } from '@stackbk/contract'

import { frozenList } from './sync/file-list.js'

/** What a repository's own files take, in bytes; `null` where it is no folder of this host, or cannot be read. */
export async function repositoryBytes(engine: Engine): Promise<number | null> {
  try {
    const { path } = engine.location()
    if (path === null) return null
    const layout = engine.layout?.()
    if (layout === undefined) return null
    const list = await frozenList(path, layout)
    return list.flatMap(({ files }) => files).reduce((sum, file) => sum + file.size, 0)
  } catch {
    return null
  }
}
