import type { ToolRequest } from '@stackbk/contract'

/**
 * The one piece of shell in this project, constant, its values handed over as arguments and never as text: mounts pairs of
 * SOURCE TARGET up to `--`, then becomes the tool. A private mount namespace has to be filled by a process inside it before
 * the tool starts there, and no program of the base system does that for more than one mount.
 */
const mountThenBecome = 'while [ "$1" != -- ]; do mount --bind -- "$1" "$2" || exit 125; shift 2; done; shift; exec "$@"'

/** The argv that runs the request's tool, with its bind mounts seen by it alone. Needs root where there are any. */
export function argvOf(request: ToolRequest): { file: string; args: readonly string[] } {
  const mounts = request.bindMounts ?? []
  if (mounts.length === 0) return { file: request.file, args: request.args }
  return {
    file: 'unshare',
    args: [
      ...['--mount', '--propagation', 'private', '--', 'sh', '-c', mountThenBecome, 'stackbk-mounts'],
      ...mounts.flatMap((mount) => [mount.source, mount.target]),
      ...['--', request.file, ...request.args],
    ],
  }
}
