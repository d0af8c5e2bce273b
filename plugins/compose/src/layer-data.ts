/** What the engine says about one path of a container's own layer, compared with its image. */
export interface LayerChange {
  readonly kind: 'added' | 'changed' | 'deleted'
  readonly path: string
}

/** Files there are made again by whatever needs them. */
const temporaryTrees = ['/tmp', '/var/tmp', '/run', '/var/run', '/var/lock', '/var/log', '/var/cache', '/dev', '/proc', '/sys']

/** The engine and the start scripts of images write these at each creation: names, users, time zone, certificates, caches of the linker. */
const rewrittenAtStart = new Set([
  '/.dockerenv', '/sbin/docker-init', '/usr/sbin/docker-init', '/etc/hostname', '/etc/hosts', '/etc/mtab', '/etc/resolv.conf', '/etc/localtime', '/etc/timezone', '/etc/ld.so.cache', '/etc/.pwd.lock',
  ...['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].flatMap((name) => [`/etc/${name}`, `/etc/${name}-`]),
  '/etc/ca-certificates.conf', '/etc/nginx/conf.d/default.conf',
])

const rewrittenTrees = ['/etc/ssl/certs', '/etc/pki/ca-trust/extracted']

/** Caches and compiled code, wherever they are. */
const cacheFolders = new Set(['.cache', '.npm', '__pycache__'])

/** Left by a program that runs, or by a user at a terminal in the container. */
const leftByUse = /\.(?:pid|sock|pyc)$|^\.(?:[a-z]+_history|viminfo|lesshst|wget-hsts)$/

/** Returns whether the change is a file, or a folder with nothing new in it. */
export function isLeaf({ path }: LayerChange, changes: readonly LayerChange[]): boolean {
  return !changes.some((other) => other.path.startsWith(`${path}/`))
}

/**
 * Returns whether the change is a file that a new container would lack and that nothing makes again. Folders do not count, nor do
 * deleted files and the places of what is put there when a container is made: mounts, copied content. See
 * docs/decisions/stop-mode-auto.md.
 */
export function isData(change: LayerChange, changes: readonly LayerChange[], places: readonly string[]): boolean {
  const { kind, path } = change
  if (kind === 'deleted' || rewrittenAtStart.has(path) || isBelow(path, temporaryTrees) || isBelow(path, rewrittenTrees)) return false
  const parts = path.split('/')
  if (leftByUse.test(parts.at(-1)!) || parts.some((part) => cacheFolders.has(part))) return false
  if (places.some((place) => isOnTheWayTo(path, place))) return false
  return isLeaf(change, changes)
}

function isBelow(path: string, trees: readonly string[]): boolean {
  return trees.some((tree) => path === tree || path.startsWith(`${tree}/`))
}

/** The engine makes the place of a mount, and the folders above it. In many images `/lib` and `/bin` are links into `/usr`. */
function isOnTheWayTo(path: string, target: string): boolean {
  const place = target.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
  return [place, `/usr${place}`].some((one) => one === path || one.startsWith(`${path}/`))
}
