import { randomBytes } from 'node:crypto'
import { chmod, chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { answered, failed, type Answer, type RenewedFile } from '@stackbk/contract'

/** The first line of a configuration that rclone has encrypted (`fs/config/crypt.go`). */
export const encrypted = /^RCLONE_ENCRYPT_V\d+:/m

type Sections = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * Puts what rclone has renewed in a copy of its configuration (tokens) into the configuration itself, in the lines that still hold
 * what the copy held before. Everything else of the file stays as it is.
 *
 * @param path of the configuration of this host
 */
export async function returnRenewed(path: string, { before, after }: RenewedFile): Promise<Answer<{ readonly returned: boolean; readonly outdatesCopies: boolean }>> {
  const [old, renewed] = [sectionsOf(before.reveal()), sectionsOf(after.reveal())]
  const target = await realpath(path)
  const text = await readFile(target, 'utf8')
  const changed = [...renewed].flatMap(([section, keys]) => [...keys].filter(([key, value]) => old.get(section)?.has(key) === true && old.get(section)?.get(key) !== value).map(([key, value]) => ({ section, key, value })))
  if (changed.length === 0) return answered({ returned: false, outdatesCopies: false })
  const outdatesCopies = withoutAccessTokens(before.reveal()) !== withoutAccessTokens(after.reveal())
  const remotes = [...new Set(changed.map(({ section }) => section))]
  if (encrypted.test(text) && !outdatesCopies) return answered({ returned: false, outdatesCopies })
  if (encrypted.test(text)) return failed({ kind: 'failed', message: `rclone renewed the access to ${remotes.join(', ')} during the check, and ${path} is encrypted, so it could not be brought up to date`, fix: `See whether the remote can still be reached: stackbk sync --test. If not, run: rclone config reconnect ${remotes[0] ?? ''}:` })
  let returned = false
  let section = ''
  const lines = text.split('\n').map((line) => {
    section = sectionIn(line) ?? section
    const entry = entryIn(line)
    const change = entry === null ? undefined : changed.find((one) => one.section === section && one.key === entry.key)
    if (entry === null || change === undefined || entry.value !== old.get(section)?.get(entry.key)) return line
    returned = true
    return `${change.key} = ${change.value}`
  })
  if (returned) await replaceFile(target, lines.join('\n'))
  return answered({ returned, outdatesCopies })
}

/** Whether rclone may write into a configuration while it works: one that holds a token. */
export function holdsToken(text: string): boolean {
  return [...sectionsOf(text).values()].some((keys) => keys.has('token'))
}

/** Returns the configuration with the refresh tokens alone: rclone gets a new access token at nearly every use, and needs no old one. */
export function withoutAccessTokens(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const entry = entryIn(line)
      return entry?.key === 'token' ? `token = ${refreshTokenIn(entry.value)}` : line
    })
    .join('\n')
}

/** rclone writes a token in JSON (`oauth2.Token` of golang.org/x/oauth2). Without a refresh token the access token is all that there is. */
function refreshTokenIn(token: string): string {
  try {
    const { refresh_token: refreshToken } = JSON.parse(token) as { readonly refresh_token?: unknown }
    return typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : token
  } catch {
    return token
  }
}

function sectionsOf(text: string): Sections {
  const sections = new Map<string, Map<string, string>>()
  let section = ''
  for (const line of text.split('\n')) {
    section = sectionIn(line) ?? section
    const entry = entryIn(line)
    if (entry === null) continue
    const keys = sections.get(section) ?? new Map<string, string>()
    sections.set(section, keys.set(entry.key, entry.value))
  }
  return sections
}

function sectionIn(line: string): string | null {
  return /^\s*\[(.+)\]\s*$/.exec(line)?.[1] ?? null
}

function entryIn(line: string): { readonly key: string; readonly value: string } | null {
  const [, key, value] = /^\s*([^\s=#;[]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
  return key === undefined || value === undefined ? null : { key, value }
}

/** As a whole or not at all, with its owner and mode. */
async function replaceFile(path: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(path)
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await chown(temporary, uid, gid)
    await chmod(temporary, mode & 0o7777)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
