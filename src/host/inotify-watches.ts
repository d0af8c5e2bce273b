import { readFileSync } from 'node:fs'
import { readdir, readFile, readlink, stat } from 'node:fs/promises'

/** The kernel's setting that limits how many folders can be watched. */
export const watchLimitName = 'fs.inotify.max_user_watches'

/** Returns the kernel's limit for all programs of a user together, containers of that user among them. */
export function watchLimit(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8'), 10) || 8192
  } catch {
    return 8192
  }
}

/** Returns how many watches this user's programs, this one among them, leave free as far as can be seen. Never throws. */
export async function freeWatches(): Promise<number> {
  const user = process.getuid?.() ?? 0
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  let used = 0
  for (const pid of pids) {
    if ((await stat(`/proc/${pid}`).catch(() => null))?.uid === user) used += await watchesOf(pid)
  }
  return Math.max(0, watchLimit() - used)
}

async function watchesOf(pid: string): Promise<number> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const watches = await Promise.all(
    descriptors.map(async (descriptor) => {
      if ((await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')) !== 'anon_inode:inotify') return 0
      return (await readFile(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').catch(() => '')).split('\n').filter((line) => line.startsWith('inotify wd:')).length
    }),
  )
  return watches.reduce((sum, one) => sum + one, 0)
}
