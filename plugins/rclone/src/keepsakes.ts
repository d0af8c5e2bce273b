import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'

import { answered, failed, Secret, shellWord, type Answer, type CallOptions, type Keepsake } from '@stackbk/contract'

import { failureOf } from './failure.js'
import type { Rclone } from './rclone.js'
import { encrypted, holdsToken, withoutAccessTokens } from './renewed.js'
import { localLimitMs } from './version.js'

/** Its name in the disaster kit. */
const configurationName = 'rclone.conf'

/** Keys and certificates are small; what is larger is data, and none of the kit's business. Bytes. */
const largestFile = 1024 * 1024

type Remotes = Readonly<Record<string, Readonly<Record<string, string>>>>

/**
 * rclone's configuration as a bare host needs it: readable without a password of its own, with the remotes that only the
 * environment of this host describes, and the files (keys, certificates) that it names.
 */
export async function keepsakes(rclone: Rclone, configFile: string | null, options: CallOptions = {}): Promise<Answer<readonly Keepsake[]>> {
  const dumped = await said(rclone, 'dump', options)
  if (!dumped.ok) return dumped
  const found = await configurationPath(rclone, configFile, options)
  if (!found.ok) return found
  const path = found.value
  const remotes = JSON.parse(dumped.value) as Remotes
  const written = await readFile(path, 'utf8').catch(() => '')
  const readable = encrypted.test(written) ? sections(remotes) : written
  const added = sections(remotesOfEnvironment(Object.keys(remotes)))
  const text = added === '' ? readable : `${readable.replace(/\n*$/, readable === '' ? '' : '\n\n')}${added}`
  return answered([{ name: configurationName, content: new Secret(text), setting: { section: 'cloud_sync', key: 'RCLONE_CONFIG' }, place: null, ...(holdsToken(text) ? { isRenewed: true, lasting: new Secret(withoutAccessTokens(text)) } : {}) }, ...(await namedFiles(text))])
}

/** Returns where rclone's own configuration is. */
export async function configurationPath(rclone: Rclone, configFile: string | null, options: CallOptions = {}): Promise<Answer<string>> {
  const found = configFile === null ? await said(rclone, 'file', options) : answered(configFile)
  return found.ok ? answered(found.value.trim().split('\n').at(-1) ?? '') : found
}

async function said(rclone: Rclone, what: 'dump' | 'file', { signal }: CallOptions): Promise<Answer<string>> {
  const run = await rclone.run({ verb: ['config', what], signal, timeoutMs: localLimitMs })
  if (run.result.exitCode === 0) return answered(run.result.stdout)
  const failure = failureOf(run, { what: "reading rclone's configuration", remote: '', isTransfer: false })
  return failed(failure.kind === 'remote-unreachable' ? { ...failure, kind: 'configuration', fix: 'Run: rclone config dump' } : failure)
}

/** `RCLONE_CONFIG_NAME_KEY` describes a remote as a section of the file does; rclone takes the name in small letters. */
function remotesOfEnvironment(known: readonly string[]): Remotes {
  const remotes: Record<string, Record<string, string>> = {}
  const types = Object.keys(process.env).flatMap((name) => /^RCLONE_CONFIG_(.+)_TYPE$/.exec(name)?.[1] ?? [])
  for (const prefix of types) {
    const remote = prefix.toLowerCase()
    if (known.includes(remote)) continue
    const start = `RCLONE_CONFIG_${prefix}_`
    remotes[remote] = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (name.startsWith(start) && value !== undefined ? [[name.slice(start.length).toLowerCase(), value]] : [])))
  }
  return remotes
}

function sections(remotes: Remotes): string {
  return Object.entries(remotes)
    .map(([name, keys]) => `[${name}]\n${Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`).join('')}`)
    .join('\n')
}

/** What the configuration names by its path, such as `key_file` and `service_account_file`, has to lie there on the new host too. */
async function namedFiles(text: string): Promise<readonly Keepsake[]> {
  const keepsakes: Keepsake[] = []
  for (const [, value = ''] of text.matchAll(/^[^\s=#;[]+\s*=[ \t]*(\S.*?)[ \t]*$/gm)) {
    const path = value.startsWith('~/') ? join(homedir(), value.slice(2)) : value
    if (!isAbsolute(path) || keepsakes.some(({ place }) => place === path)) continue
    const file = await stat(path).catch(() => null)
    if (file === null || !file.isFile() || file.size > largestFile) continue
    const content = await readFile(path).catch(() => null)
    if (content === null) continue
    const taken = new Set([configurationName, ...keepsakes.map(({ name }) => name)])
    const name = basename(path)
    const free = taken.has(name) ? `${keepsakes.length + 1}-${name}` : name
    keepsakes.push({ name: free, content: new Secret(content.toString(isUtf8(content) ? 'utf8' : 'base64')), isBase64: !isUtf8(content), setting: null, place: path })
  }
  return keepsakes
}

/** See `Transport.byHand`. */
export function byHand(location: string, localRoot: string): readonly string[] {
  return [`rclone --config ${configurationName} copy --progress ${shellWord(location)} ${shellWord(localRoot)}`]
}
