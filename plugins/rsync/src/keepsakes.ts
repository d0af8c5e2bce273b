import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { answered, failed, Secret, shellWord, type Answer, type CallOptions, type Exec, type Keepsake } from '@stackbk/contract'

import type { Place } from './place.js'
import { sshOptions } from './ssh.js'

/** Their names in the disaster kit. */
const [keyName, knownHostsName] = ['ssh-key', 'ssh-known-hosts']

const localLimitMs = 10_000

const section = 'plugin:rsync'

/** The private key, and the server's own key: what SSH on a bare host lacks. Where the configuration names no file, SSH is asked which ones it takes. */
export async function keepsakes(exec: Exec, place: Place, { signal }: CallOptions = {}): Promise<Answer<readonly Keepsake[]>> {
  const resolved = await exec.run({ file: 'ssh', args: [...sshOptions(place), '-G', '--', place.host], timeoutMs: localLimitMs, ...(signal === undefined ? {} : { signal }) })
  if (resolved.exitCode !== 0) return failed({ kind: resolved.outcome === 'cancelled' ? 'cancelled' : 'configuration', message: 'the SSH configuration cannot be read', toolOutput: resolved.stderr.trim(), fix: `Run: ssh -G ${place.host}` })
  const values = (key: string): string[] => [...resolved.stdout.matchAll(new RegExp(`^${key} (.*)$`, 'gm'))].map(([, value = '']) => value)
  const key = await firstReadable(place.identityFile === null ? values('identityfile') : [place.identityFile])
  const files = place.knownHosts === null ? [...values('userknownhostsfile'), ...values('globalknownhostsfile')].flatMap((line) => line.split(' ')) : [place.knownHosts]
  const known = await hostLines(exec, { host: values('hostname')[0] ?? place.host, port: Number(values('port')[0] ?? 22) }, files)
  return answered([
    ...(key === null ? [] : [{ name: keyName, content: new Secret(key), setting: { section, key: 'IDENTITY_FILE' }, place: null }]),
    ...(known === '' ? [] : [{ name: knownHostsName, content: new Secret(known), setting: { section, key: 'KNOWN_HOSTS' }, place: null }]),
  ])
}

async function firstReadable(files: readonly string[]): Promise<string | null> {
  for (const file of files) {
    const text = await readFile(expanded(file), 'utf8').catch(() => null)
    if (text !== null) return text
  }
  return null
}

/** Of all hosts that are known here, this one alone. `ssh-keygen` finds it also where the names are hashed. */
async function hostLines(exec: Exec, { host, port }: { readonly host: string; readonly port: number }, files: readonly string[]): Promise<string> {
  const name = port === 22 ? host : `[${host}]:${port}`
  const found: string[] = []
  for (const file of files) {
    const { stdout } = await exec.run({ file: 'ssh-keygen', args: ['-F', name, '-f', expanded(file)], timeoutMs: localLimitMs })
    found.push(...stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#')))
  }
  return found.length === 0 ? '' : `${[...new Set(found)].join('\n')}\n`
}

function expanded(file: string): string {
  return file.startsWith('~/') ? join(homedir(), file.slice(2)) : file
}

/** See `Transport.byHand`. */
export function byHand({ host, user, port, folder, rsyncPath }: Place, localRoot: string): readonly string[] {
  const shell = ['ssh', '-i', keyName, '-o', `UserKnownHostsFile=${knownHostsName}`, ...(port === null ? [] : ['-p', String(port)])].join(' ')
  const source = `${user === null ? '' : `${user}@`}${host.includes(':') ? `[${host}]` : host}:${folder === '/' ? '' : folder}/`
  return [
    `chmod 600 ${keyName}`,
    `rsync --recursive --times --partial --info=progress2 -e ${shellWord(shell)}${rsyncPath === null ? '' : ` --rsync-path=${shellWord(rsyncPath)}`} ${shellWord(source)} ${shellWord(localRoot)}/`,
  ]
}
