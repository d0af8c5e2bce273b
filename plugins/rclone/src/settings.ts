import { defineSettings } from '@stackbk/contract'

/** The keys that are rclone's own; all others of `[cloud_sync]` are the core's. */
export const settings = defineSettings([
  {
    section: 'cloud_sync',
    key: 'RCLONE_REMOTE',
    role: 'location',
    aliases: ['REMOTE'],
    type: 'string',
    required: true,
    help: 'name of the remote, as rclone listremotes shows it',
  },
  {
    section: 'cloud_sync',
    key: 'RCLONE_PATH',
    role: 'location',
    aliases: ['PATH'],
    flatAliases: ['RCLONE_BACKUP_PATH'],
    type: 'string',
    default: '/backup/restic',
    help: 'folder on the remote, for bucket storage with the bucket in front',
  },
  {
    section: 'cloud_sync',
    key: 'RCLONE_CONFIG',
    type: 'path',
    help: "rclone's configuration file, if it is not where rclone looks by itself",
  },
  {
    section: 'cloud_sync',
    key: 'TRANSFERS',
    aliases: ['RCLONE_TRANSFERS'],
    type: 'integer',
    default: 4,
    range: { min: 1, max: 64 },
    help: 'files transferred at the same time',
  },
  {
    section: 'cloud_sync',
    key: 'BANDWIDTH',
    aliases: ['RCLONE_BANDWIDTH'],
    type: 'string',
    help: 'bandwidth limit as rclone writes it, such as 10M or "08:00,512k 23:00,off"; unlimited if not given',
  },
])
