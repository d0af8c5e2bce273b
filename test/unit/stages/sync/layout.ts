import { createHash } from 'node:crypto'

import type { LayoutGroup, RepositoryLayout } from '@stackbk/contract'

const group = (role: LayoutGroup['role'], path: string, more: Partial<LayoutGroup> = {}): LayoutGroup => ({
  name: path,
  path,
  isFile: false,
  namePattern: /^[0-9a-f]{64}$/,
  nameIs: 'sha256',
  decidesValidity: role !== 'data',
  role,
  ...more,
})

/** Like that of a real repository, in commit order. */
export const layout: RepositoryLayout = {
  groups: [
    group('key', 'keys'),
    group('config', 'config', { isFile: true, namePattern: /^config$/, nameIs: 'none' }),
    group('data', 'data'),
    group('index', 'index'),
    group('snapshot', 'snapshots'),
  ],
  ignored: ['locks'],
}

/** A file's name from its content. */
export function nameOf(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}
