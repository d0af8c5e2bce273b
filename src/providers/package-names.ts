import type { Interfaces } from '@oclif/core'

import { StackbkError } from '../errors.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Throws (kind `usage`) for a name that anyone could own in a public registry: a short name, and a name in the scope of stackbk,
 * which is not registered yet. A registry that STACKBK_NPM_REGISTRY names is the administrator's own, and may hold both.
 */
export function assertNoShortName(word: string, environment: Environment): void {
  if (hasOwnRegistry(environment) || !isRegistryName(word)) return
  const name = word.replace(/(?<!^)@.*$/, '')
  if (/^@stackbk\//.test(name)) throw refused(word, `nobody has registered the scope @stackbk yet, so anyone could publish ${name}`)
  if (!name.startsWith('@') && !/^stackbk-plugin-./.test(name)) throw refused(word, `"${name}" is a short name: in a public registry it may be the package of a stranger`)
}

/**
 * Keeps oclif from asking a public registry whether there is a package @stackbk/plugin-NAME, and from taking it. Call before an
 * installation.
 */
export function forgetScope(config: Pick<Interfaces.Config, 'pjson'>, environment: Environment): void {
  if (!hasOwnRegistry(environment)) Reflect.deleteProperty(config.pjson.oclif, 'scope')
}

function hasOwnRegistry(environment: Environment): boolean {
  return Boolean(environment['STACKBK_NPM_REGISTRY'])
}

/** Everything else is a path or an address: it has a colon, or a slash and no scope, or ends as a repository does. */
function isRegistryName(word: string): boolean {
  if (word.includes(':') || word.endsWith('.git')) return false
  return word.startsWith('@') || !word.includes('/')
}

function refused(word: string, detail: string): StackbkError {
  return new StackbkError({
    kind: 'usage',
    code: 'short-name',
    message: `${word} is not installed by this name`,
    detail: `${detail}; nothing was installed`,
    fix: 'Give its file: stackbk plugins install file:/absolute/path/PACKAGE.tgz; or its whole name, stackbk-plugin-NAME or @SCOPE/NAME',
  })
}
