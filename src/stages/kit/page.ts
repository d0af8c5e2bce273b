import { shellWord } from '@stackbk/contract'

import { kitNames } from './contents.js'
import type { KitManifest } from './manifest.js'

export interface PageRequest {
  readonly manifest: KitManifest
  /** The kit's name, without its folder. */
  readonly kit: string
  /** Every file in it. */
  readonly names: readonly string[]
  readonly placed: readonly { readonly name: string; readonly place: string }[]
  /** What the configuration means; `localRoot` is where the repository was and may be again. */
  readonly localRoot: string
  readonly version: string
  /** The tarball of stackbk in the kit; `null` for none. */
  readonly program: string | null
  /** Plugins that were installed in addition, with their versions. */
  readonly plugins: readonly string[]
  /** Shell commands of the transport and of the engine; empty where they have none to tell. */
  readonly fetch: readonly string[]
  readonly extract: readonly string[]
}

/** The page to print: no secret in it, and all that somebody needs to know who has only it, the kit and the passphrase. */
export function kitPage(request: PageRequest): string {
  const { manifest, kit, names, placed, localRoot, version, program, plugins } = request
  const place = placed.map(({ name, place: path }) => `install -D -m 600 ${shellWord(name)} ${shellWord(path)}`)
  const byHand = [...request.fetch, ...request.extract]
  return `${[
    'DISASTER KIT OF STACKBK',
    '=======================',
    '',
    `Written    ${manifest.createdAt} on ${manifest.host}, stackbk ${version}`,
    `The copy   ${manifest.remote}`,
    `Repository ${manifest.repositoryId}`,
    `           was at ${manifest.repository}`,
    `The kit    ${kit}, encrypted in age format with a passphrase`,
    `           It holds ${names.join(', ')}`,
    '',
    'Keep this page, the kit and its passphrase in places that do not burn together',
    'with the host. Without the passphrase the kit cannot be opened by anybody.',
    '',
    'OPEN THE KIT',
    '------------',
    'Needed: age (any implementation), tar.',
    '',
    '  mkdir -m 700 stackbk-kit && cd stackbk-kit',
    `  age -d ../${shellWord(kit)} | tar -x`,
    ...place.map((line) => `  ${line}`),
    '',
    'GET EVERYTHING BACK WITH STACKBK',
    '--------------------------------',
    `Needed: Docker with Compose, the tools of the copy, Node 20.5 or newer, stackbk ${version}.`,
    ...(plugins.length === 0 ? [] : [`Needed too, these plugins: ${plugins.join(', ')}. They are not in this kit.`]),
    '',
    ...(program === null
      ? [
          'stackbk is in no public registry. It is installed from the tarball of the release,',
          `stackbk-${version}.tgz, which is not in this kit ("kit write --with-program" puts it`,
          'in). Write down where a copy of it is kept:',
          '',
          '  ______________________________________________________________________',
          '',
          `  npm install --global ./stackbk-${version}.tgz`,
        ]
      : ['stackbk itself is in the kit, with everything that it needs but Node:', '', `  npm install --global --offline ./${program}`]),
    '',
    ...plugins.flatMap((plugin) => [`The plugin ${plugin}, from its tarball. Write down where a copy of it is kept:`, '', '  ______________________________________________________________________', '', '  stackbk plugins install file:/PATH/TO/ITS/TARBALL.tgz', '']),
    `  stackbk --config "$PWD/${kitNames.configuration}" doctor`,
    `  stackbk --config "$PWD/${kitNames.configuration}" restore --recover --all`,
    '',
    'To go on with it every night, put the kit where stackbk looks for its configuration:',
    '',
    '  install -d -m 700 /etc/stackbk && cp -p -- * /etc/stackbk/',
    '',
    ...(byHand.length === 0
      ? []
      : ['GET THE FILES BACK WITHOUT STACKBK', '----------------------------------', `In the kit's folder. Needed: free space for the repository in ${localRoot}.`, '', ...byHand.map((line) => `  ${line}`), '']),
    'Each snapshot holds a stack under its original paths, and a stackbk-capsule.json that',
    'tells the rest: images with their digests, volumes, networks, what ran.',
  ].join('\n')}\n`
}
