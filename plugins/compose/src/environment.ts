/**
 * Variables of stackbk's own environment that docker and Compose get: what they need to run and to find the engine. Everything
 * else stays here, because Compose prefers the environment to a stack's `.env` (docs/decisions/compose-environment.md).
 */
const passedNames: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TERM',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'SSH_AUTH_SOCK',
  'SSH_AGENT_PID',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS',
  'DOCKER_TLS_VERIFY',
  'DOCKER_API_VERSION',
  'DOCKER_DEFAULT_PLATFORM',
  'DOCKER_AUTH_CONFIG',
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
])

const passedPrefixes = /^(?:LC_|XDG_)/

/**
 * Never passed, not even on request: they would make Compose act on another project than the one named, or do more than it was
 * asked for. COMPOSE_REMOVE_ORPHANS turns `up` of one service into a removal of others. PWD is the stack's folder.
 */
const neverPassed: ReadonlySet<string> = new Set(['COMPOSE_FILE', 'COMPOSE_PROJECT_NAME', 'COMPOSE_REMOVE_ORPHANS', 'COMPOSE_IGNORE_ORPHANS', 'COMPOSE_MENU', 'PWD', 'OLDPWD'])

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Returns what Compose sees of an environment.
 *
 * @param requested further names, from COMPOSE_ENV
 */
export function composeEnvironment(environment: Environment, requested: readonly string[]): Readonly<Record<string, string>> {
  const isPassed = (name: string): boolean => !neverPassed.has(name) && (passedNames.has(name) || passedPrefixes.test(name) || requested.includes(name))
  return Object.fromEntries(Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && isPassed(entry[0])))
}

/** Returns the changes to an environment that leave only what {@link composeEnvironment} returns of it, and set the working directory. */
export function environmentChanges(environment: Environment, requested: readonly string[], workingDirectory: string): Record<string, string | undefined> {
  const kept = composeEnvironment(environment, requested)
  const removed = Object.keys(environment).filter((name) => !(name in kept))
  return { ...Object.fromEntries(removed.map((name) => [name, undefined])), COMPOSE_MENU: 'false', COMPOSE_IGNORE_ORPHANS: '1', PWD: workingDirectory }
}
