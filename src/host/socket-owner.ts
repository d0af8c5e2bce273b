import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

/** Whether this process is the one that has bound the abstract name. False too if that cannot be seen, as of another user's process. */
export function hasBound(pid: number, name: string): boolean {
  const inode = inodeOf(name)
  return inode !== null && hasSocket(String(pid), inode)
}

/** The user whose process has bound the abstract name; `null` if there is none to be seen. Complete only for root. */
export function userWhoBound(name: string): number | null {
  const inode = inodeOf(name)
  if (inode === null) return null
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && hasSocket(entry, inode))
  try {
    return pid === undefined ? null : statSync(`/proc/${pid}`).uid
  } catch {
    return null
  }
}

/** Of the socket that is bound, listening or not; accepted connections have the same name and another state (proc(5), net/unix). */
function inodeOf(name: string): string | null {
  try {
    const lines = readFileSync('/proc/net/unix', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
    // Some versions of Node fill the name up with null characters, which are shown as @ too.
    return lines.find((fields) => fields[5] === '01' && fields[7]?.replace(/@+$/, '') === `@${name}`)?.[6] ?? null
  } catch {
    return null
  }
}

function hasSocket(pid: string, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`) === `socket:[${inode}]`)
  } catch {
    return false
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
