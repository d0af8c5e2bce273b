import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A folder that holds the folders of these files and no file, for as long as the work takes. rsync compares the other side with it. */
export async function withSkeleton<T>(files: readonly string[], work: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'stackbk-rsync-'))
  try {
    for (const folder of new Set(files.map(dirname))) await mkdir(join(root, folder), { recursive: true })
    return await work(root)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
