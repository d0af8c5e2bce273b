import { defineSettings } from '@stackbk/contract'

/** No blank control character, and nothing that a shell on the other side, or rsync itself, would take for a pattern. */
const folder = { matches: '^/[^*?\\[\\]\\\\\\x00-\\x1f\\x7f]*$', inWords: 'a path that begins with / and holds none of * ? [ ] \\' }

export const settings = defineSettings([
  { section: 'plugin:rsync', key: 'HOST', type: 'string', role: 'location', required: true, pattern: { matches: '^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$', inWords: 'a host name or address, or a name from the SSH configuration' }, help: 'the host to copy to, or its name in the SSH configuration' },
  { section: 'plugin:rsync', key: 'USER', type: 'string', pattern: { matches: '^[A-Za-z0-9_][^\\s@:]*$', inWords: 'a user name' }, help: "user on that host; SSH's own choice if not given" },
  { section: 'plugin:rsync', key: 'PORT', type: 'integer', range: { min: 1, max: 65_535 }, help: "port of its SSH server; SSH's own choice if not given" },
  { section: 'plugin:rsync', key: 'FOLDER', type: 'string', role: 'location', default: '/backup/restic', pattern: folder, help: 'folder on that host; for a key that rrsync restricts counted from the folder that it allows' },
  { section: 'plugin:rsync', key: 'IDENTITY_FILE', type: 'path', help: "private key to log in with, without a passphrase; SSH's own choice if not given" },
  { section: 'plugin:rsync', key: 'KNOWN_HOSTS', type: 'path', help: "file with the host's key; SSH's own if not given. An unknown or changed key is always refused" },
  { section: 'plugin:rsync', key: 'RSYNC_PATH', type: 'string', pattern: { matches: '^[A-Za-z0-9_./ -]+$', inWords: 'the path of a program' }, help: 'rsync on that host, if it is not where its shell looks; may have sudo in front' },
  { section: 'cloud_sync', key: 'BANDWIDTH', aliases: ['RCLONE_BANDWIDTH'], type: 'string', help: 'bandwidth limit as rclone writes it, such as 10M or "08:00,512k 23:00,off"; unlimited if not given' },
])
