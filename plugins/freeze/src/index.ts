import { defineFreezer } from '@stackbk/contract'

/** Read-only snapshots of btrfs subvolumes. Cheap: what does the work is loaded by `create`. */
export const btrfs = defineFreezer({
  id: 'btrfs',
  title: 'btrfs snapshots',
  settings: [],
  async create(_values, context) {
    const [{ createFreezer }, { btrfsMethod }] = await Promise.all([import('./freezer.js'), import('./btrfs.js')])
    return createFreezer(btrfsMethod, context)
  },
})

/** Copies that share their data with the original, on XFS and btrfs. */
export const reflink = defineFreezer({
  id: 'reflink',
  title: 'reflink copies',
  settings: [],
  async create(_values, context) {
    const [{ createFreezer }, { reflinkMethod }] = await Promise.all([import('./freezer.js'), import('./reflink.js')])
    return createFreezer(reflinkMethod, context)
  },
})
