import { defineSettings } from '@stackbk/contract'

/** The keys that are restic's own; all others of `[local_backup]` are the core's. */
export const settings = defineSettings([
  {
    section: 'local_backup',
    key: 'RESTIC_REPOSITORY',
    role: 'location',
    aliases: ['REPOSITORY'],
    type: 'string',
    required: true,
    pattern: { matches: '^(/|local:/|(rest|sftp|s3|b2|azure|gs|swift|rclone):)', inWords: 'an absolute path or a location that restic knows' },
    help: 'where the restic repository is: an absolute path, or a location as restic writes it, such as sftp:user@host:/path',
  },
  {
    section: 'local_backup',
    key: 'RESTIC_PASSWORD_FILE',
    aliases: ['PASSWORD_FILE'],
    type: 'path',
    credential: true,
    oneOf: 'password',
    help: 'file that holds the repository password',
  },
  {
    section: 'local_backup',
    key: 'RESTIC_PASSWORD_COMMAND',
    aliases: ['PASSWORD_COMMAND'],
    type: 'string',
    oneOf: 'password',
    help: 'command that prints the repository password',
  },
  {
    section: 'local_backup',
    key: 'RESTIC_PASSWORD',
    aliases: ['PASSWORD'],
    type: 'string',
    secret: true,
    oneOf: 'password',
    help: 'the repository password itself; a password file is safer',
  },
  {
    section: 'local_backup',
    key: 'LOCK_TIMEOUT',
    type: 'duration',
    default: 30_000,
    range: { min: 0, max: 86_400_000 },
    help: 'how long to wait for a lock that another restic has on the repository; no stack is down meanwhile',
  },
])
