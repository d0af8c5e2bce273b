import { createReadStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'

import type { Exec } from '@stackbk/contract'
import type { Interfaces } from '@oclif/core'
import { extract } from 'tar-stream'

import { StackbkError } from '../errors.js'
import { whyNotVersion } from './descriptor-check.js'
import { isBundledName } from './plugin-loading.js'

/** What `plugins install` is about to install, as oclif tells its hook. */
export type PluginSpec = { readonly type: 'npm'; readonly name: string; readonly tag: string } | { readonly type: 'repo'; readonly url: string }

interface PackageFacts {
  readonly name: string
  readonly version: string
  readonly oclif?: unknown
  /** `apiVersion`: the version of the contract that the plugin was written for. */
  readonly stackbk?: { readonly apiVersion?: unknown }
}

/** A package as it would be installed, and the copy of the contract that it brings along, if it does. */
interface PackedPlugin {
  readonly facts: PackageFacts
  readonly contract: PackageFacts | null
}

/** To fetch a package. Milliseconds. */
const fetchLimitMs = 120_000

/**
 * Looks at a package before it is installed: fetched and opened, nothing of it run. Gives its name; `null` where it cannot be
 * fetched, which the installation then says in its own words.
 *
 * Throws (kind `configuration`) for a path that oclif takes for another thing, for what is no plugin, for what was written for another version of the contract, and for the
 * name of a plugin that comes with stackbk. A package that says no version is judged when it is loaded.
 */
export async function checkBeforeInstall(host: Pick<Interfaces.Config, 'dataDir' | 'npmRegistry' | 'plugins' | 'pjson'>, spec: PluginSpec, exec: Exec): Promise<string | null> {
  if (spec.type === 'npm' && isBundledName(host, spec.name)) throw takesTheName(spec.name)
  const path = spec.type === 'repo' ? pathTakenForGitHub(spec.url) : null
  if (path !== null) throw refusal('not-a-file', `${path} would be looked for on GitHub`, 'a file or folder is given with file: and its whole path', `Run: stackbk plugins install file:${resolve(path)}`)
  const packed = await fetched(host, spec.type === 'npm' ? `${spec.name}@${spec.tag}` : spec.url, exec)
  if (packed === null) return null
  const { name, version, oclif, stackbk } = packed.facts
  if (isBundledName(host, name)) throw takesTheName(name)
  if (typeof oclif !== 'object' || oclif === null) {
    throw refusal('not-a-plugin', `${name}@${version} is no plugin of stackbk`, 'its package.json has no "oclif"', 'Check its name, as it stands in its own documentation')
  }
  const apiVersion = stackbk?.apiVersion ?? packed.contract?.stackbk?.apiVersion
  const reason = apiVersion === undefined ? null : whyNotVersion(apiVersion)
  if (reason !== null) throw refusal('contract-version', `${name}@${version} cannot be used with this stackbk`, reason, `Install a version of ${name} that fits (stackbk plugins install NAME@VERSION), or another stackbk`)
  return name
}

/** oclif takes whatever has a slash in it, and no colon, for the name of a repository there. */
function pathTakenForGitHub(url: string): string | null {
  return /^https:\/\/github\.com\/((?:\.{0,2}\/|~\/).+)$/.exec(url)?.[1] ?? null
}

function takesTheName(name: string): StackbkError {
  return refusal('bundled-plugin', `${name} comes with stackbk`, 'an installed package of this name would not be used', 'There is nothing to install')
}

function refusal(code: string, message: string, detail: string, fix: string): StackbkError {
  return new StackbkError({ kind: 'configuration', code, message, detail: `${detail}; nothing was installed`, fix })
}

/** By the npm, the registry and the settings that the installation itself takes. Whatever the spec is, a tarball comes of it. */
async function fetched(host: Pick<Interfaces.Config, 'dataDir' | 'npmRegistry' | 'plugins'>, spec: string, exec: Exec): Promise<PackedPlugin | null> {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-plugin-'))
  try {
    const npm = npmOf(host)
    const registry = host.npmRegistry === undefined ? [] : [`--registry=${host.npmRegistry}`]
    const { outcome, exitCode } = await exec.run({
      ...npm,
      args: [...npm.args, 'pack', '--ignore-scripts', '--loglevel=silent', `--pack-destination=${folder}`, ...registry, '--', spec],
      cwd: existsSync(host.dataDir) ? host.dataDir : folder,
      timeoutMs: fetchLimitMs,
    })
    const [tarball] = readdirSync(folder)
    if (outcome !== 'exited' || exitCode !== 0 || tarball === undefined) return null
    return await opened(join(folder, tarball))
  } catch {
    // What is wrong with the fetched file, or with npm, the installation itself comes to.
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As plugin-plugins finds it: the one that it brings along, else that of the system. */
function npmOf({ plugins }: Pick<Interfaces.Config, 'plugins'>): { readonly file: string; readonly args: readonly string[] } {
  try {
    const installer = plugins.get('@oclif/plugin-plugins')
    const file = createRequire(join(installer?.root ?? process.cwd(), 'package.json')).resolve('npm/package.json')
    const { bin } = JSON.parse(readFileSync(file, 'utf8')) as { readonly bin: { readonly npm: string } }
    return { file: process.execPath, args: [join(dirname(file), bin.npm)] }
  } catch {
    return { file: 'npm', args: [] }
  }
}

async function opened(tarball: string): Promise<PackedPlugin | null> {
  const found = new Map<string, string>()
  const entries = extract()
  const reading = pipeline(createReadStream(tarball), createGunzip(), entries)
  for await (const entry of entries) {
    const path = entry.header.name.split('/').slice(1).join('/')
    if (path === 'package.json' || path === 'node_modules/@stackbk/contract/package.json') found.set(path, await text(entry))
    else entry.resume()
  }
  await reading
  const [own, contract] = [found.get('package.json'), found.get('node_modules/@stackbk/contract/package.json')]
  if (own === undefined) return null
  return { facts: JSON.parse(own) as PackageFacts, contract: contract === undefined ? null : (JSON.parse(contract) as PackageFacts) }
}
