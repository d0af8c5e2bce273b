import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { done, failed, type Answer, type LayoutGroup, type RepositoryLayout } from '@stackbk/contract'

const hash = /^[0-9a-f]{64}$/

/**
 * restic's repository format 1 and 2 ("Repository Format" in its design document). Names are the SHA-256 of the content,
 * so soundness can be proven without the password; `config` alone is named by what it is. A pack may be cut short without
 * harm as long as no index names it, which is why data comes before index before snapshots.
 */
export const layout: RepositoryLayout = {
  groups: [
    group({ name: 'keys', path: 'keys', role: 'key', decidesValidity: true }),
    { name: 'config', path: 'config', isFile: true, namePattern: /^config$/, nameIs: 'none', decidesValidity: true, role: 'config' },
    group({ name: 'data', path: 'data', role: 'data', decidesValidity: false }),
    group({ name: 'index', path: 'index', role: 'index', decidesValidity: true }),
    group({ name: 'snapshots', path: 'snapshots', role: 'snapshot', decidesValidity: true }),
  ],
  ignored: ['locks', 'tmp'],
  // What restic, its backend for SFTP and rest-server leave when they are killed while they write a file.
  ignoredNames: [/^(?:[0-9a-f]{64}|config)(?:-tmp-\d+|-restic-temp-[0-9a-z]+|\.rest-server-temp\d*)$/],
  listsWithoutData: true,
}

function group(part: Pick<LayoutGroup, 'name' | 'path' | 'role' | 'decidesValidity'>): LayoutGroup {
  return { ...part, isFile: false, namePattern: hash, nameIs: 'sha256' }
}

/** Makes the folders that a copy by files lacks where they were empty. restic's own mode for them is 0700. */
export async function completeCopy(path: string): Promise<Answer<void>> {
  const packFolders = Array.from({ length: 256 }, (_, number) => join('data', number.toString(16).padStart(2, '0')))
  try {
    for (const folder of ['keys', 'index', 'snapshots', 'locks', ...packFolders]) {
      await mkdir(join(path, folder), { recursive: true, mode: 0o700 })
    }
    return done
  } catch (error) {
    return failed({
      kind: 'failed',
      message: `the folders of the repository ${path} could not be made`,
      toolOutput: (error as Error).message,
    })
  }
}
