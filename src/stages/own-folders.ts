import { basename } from 'node:path'

import { frozenFolderName } from '@stackbk/contract'

/** All folders of a recovery begin so, whoever's they are: they are never moved and never removed with something else. */
export const ownFolderPrefix = '.stackbk-recover-'

/** Exclude patterns for the folders of stackbk that may lie in a place of the stack: frozen copies, and what a recovery has kept aside. */
export const ownFolderPatterns: readonly string[] = [frozenFolderName, `${ownFolderPrefix}*`]

/** Returns whether the path is such a folder. */
export function isOwnFolder(path: string): boolean {
  const name = basename(path)
  return name === frozenFolderName || name.startsWith(ownFolderPrefix)
}
