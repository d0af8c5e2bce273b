import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

import { isSecret } from '@stackbk/contract'

import { type Configuration, type ConfigurationRequest, type Environment, loadConfiguration } from '../../config/configuration.js'
import { redactAddress } from '../../config/secrecy.js'
import { type Problem, StackbkError } from '../../errors.js'
import { ownHome } from '../../host/data-folder.js'
import type { UnitScope } from '../../host/systemd.js'
import { distrustOf } from '../../host/trust.js'

/** A file that systemd hands to the unit under a name. */
export interface UnitCredential {
  readonly name: string
  /** Absolute; `null`: the system's own credential of this name. */
  readonly path: string | null
  readonly isEncrypted: boolean
}

/** What a scheduled call must find as the call that installed it did, since it inherits nothing of a shell's. */
export interface Surroundings {
  /** The words of the call up to the command: node and the program by absolute paths. */
  readonly program: readonly string[]
  /** Absolute. */
  readonly configuration: string
  /** Variables, no secret among them. */
  readonly variables: Readonly<Record<string, string>>
  /** Read by systemd if it is there: for what belongs into no unit. */
  readonly environmentFile: string
  readonly credentials: readonly UnitCredential[]
  readonly problems: readonly Problem[]
}

export interface SurroundingsRequest {
  readonly configuration: Configuration
  readonly environment: Environment
  readonly scope: UnitScope
  /** Root's, in the system's timer or in a crontab: what another user can change is left out of it. */
  readonly isRoots: boolean
  readonly program: readonly string[]
  /** Where the user's plugins are. */
  readonly dataFolder: string
}

/** Where systemd itself looks for a credential (systemd.exec(5), LoadCredential=). */
const stores = ['/etc/credstore', '/run/credstore', '/usr/lib/credstore'] as const
const systemCredentials = '/run/credentials/@system'

/** The PATH that systemd gives to services. What is in the present one comes before it. */
const usualPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** No secrets by their meaning, and tools behave otherwise without them. */
const plainVariables = ['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']

/** What tools are known to take their access from. Named to the user, written nowhere. */
const toolsVariables = /^(?:RCLONE|RESTIC|AWS|B2|AZURE|GOOGLE|OS|ST)_[A-Z0-9_]+$/

/**
 * The environment in which a configuration is checked that names credentials: they are only there for the unit, so the place
 * that the unit will take them from stands for them.
 */
export function environmentOfUnit(asked: Pick<ConfigurationRequest, 'file' | 'environment' | 'descriptors'>): Environment {
  const { environment } = asked
  if (environment['CREDENTIALS_DIRECTORY']) return environment
  const names = credentialNames(loadConfiguration({ ...asked, needs: [], environment: { ...environment, CREDENTIALS_DIRECTORY: stores[0] } }))
  if (names.length === 0) return environment
  const places = [...stores.flatMap((store) => [store, `${store}.encrypted`]), systemCredentials]
  const store = places.find((place) => names.every((name) => existsSync(join(place, name))))
  return { ...environment, CREDENTIALS_DIRECTORY: store ?? stores[0] }
}

/** Throws `configuration` for what only a shell can give: the password itself in a variable. */
export function surroundingsOf(request: SurroundingsRequest): Surroundings {
  const { configuration, environment } = request
  const fromEnvironment = configuration.resolved().flatMap(({ origin, value }) => (origin.kind === 'environment' ? [{ name: origin.name, value }] : []))
  const secret = fromEnvironment.find(({ value }) => isSecret(value))
  if (secret !== undefined) {
    throw new StackbkError({
      kind: 'configuration',
      code: 'password-in-environment',
      message: 'a schedule would have no password',
      detail: `it is only in the variable ${secret.name} of this shell`,
      fix: `Put it, alone, into a file with mode 0600 and name that file${configuration.settingNames.password === null ? '' : ` as ${configuration.settingNames.password}`} in the configuration`,
    })
  }
  const state = stateFolderOf(environment)
  const { isRoots } = request
  const home = environment['HOME'] || homedir()
  const plain = plainVariables.filter((name) => environment[name] && redactAddress(environment[name]) === environment[name] && !(isRoots && isDistrusted(environment[name])))
  const variables = {
    HOME: request.scope === 'system' || (isRoots && isDistrusted(home)) ? ownHome() : home,
    PATH: pathOf(environment, isRoots),
    STACKBK_DATA_DIR: request.dataFolder,
    ...(state === null ? {} : { STACKBK_STATE_DIR: state }),
    ...Object.fromEntries(plain.map((name) => [name, environment[name] ?? ''])),
    ...Object.fromEntries(fromEnvironment.map(({ name, value }) => [name, String(value)])),
  }
  const environmentFile = join(dirname(configuration.file), 'environment')
  return {
    program: request.program,
    configuration: configuration.file,
    variables,
    environmentFile,
    credentials: credentialNames(configuration).map(credential),
    problems: [...leftOut(environment, variables, environmentFile), ...(isRoots ? distrustedProgram(request.program) : [])],
  }
}

/** `null`: where it is looked for without any variable. */
function stateFolderOf(environment: Environment): string | null {
  if (environment['STACKBK_STATE_DIR']) return environment['STACKBK_STATE_DIR']
  return environment['XDG_STATE_HOME'] && process.getuid?.() !== 0 ? join(environment['XDG_STATE_HOME'], 'stackbk') : null
}

function credentialNames(configuration: Configuration): string[] {
  const values = configuration.resolved().flatMap(({ declaration, entry, origin }) => (declaration.credential === true && entry !== null && origin.kind === 'file' ? [entry.value] : []))
  return [...new Set(values.filter((value) => value.startsWith('credential:')).map((value) => value.slice('credential:'.length)))]
}

function credential(name: string): UnitCredential {
  for (const store of stores) {
    if (existsSync(join(store, name))) return { name, path: join(store, name), isEncrypted: false }
    if (existsSync(join(`${store}.encrypted`, name))) return { name, path: join(`${store}.encrypted`, name), isEncrypted: true }
  }
  return { name, path: existsSync(join(systemCredentials, name)) ? null : join(stores[0], name), isEncrypted: false }
}

/** A folder of a user's own, which `sudo` may leave in a variable of root's. */
function isDistrusted(value: string): boolean {
  return isAbsolute(value) && distrustOf(value) !== null
}

function distrustedProgram(program: readonly string[]): Problem[] {
  return program.filter((path) => isAbsolute(path)).flatMap((path): Problem[] => {
    const distrust = distrustOf(path)
    return distrust === null ? [] : [{ severity: 'warning', code: 'program-not-trusted', message: `the schedule runs ${path} as root, and another user can change it: ${distrust.path}: ${distrust.reason}`, fix: 'Install Node and stackbk where only root can write, then run: stackbk schedule install' }]
  })
}

/** As root without folders from which another user could give it a tool. */
function pathOf(environment: Environment, isRoots: boolean): string {
  const present = (environment['PATH'] ?? '').split(':').filter((folder) => isAbsolute(folder) && existsSync(folder) && !(isRoots && isDistrusted(folder)))
  return [...new Set([...present, ...usualPath])].join(':')
}

function leftOut(environment: Environment, variables: Readonly<Record<string, string>>, environmentFile: string): Problem[] {
  const names = Object.keys(environment).filter((name) => environment[name] !== '' && variables[name] === undefined && (toolsVariables.test(name) || plainVariables.includes(name)))
  if (names.length === 0) return []
  return [{ severity: 'warning', code: 'environment-left-out', message: `the schedule will not have these variables of this shell, which may hold secrets: ${names.toSorted().join(', ')}`, fix: `Put those that it needs into ${environmentFile} (NAME=value, a line each, mode 0600)` }]
}
