import { defineSettings, type SettingDeclaration } from '@stackbk/contract'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const limit = { type: 'duration', range: { min: 0, max: 365 * day } } as const
const keep = { section: 'local_backup', type: 'integer', range: { min: 0, max: 100_000 } } as const

/**
 * All keys that are the core's own. What only a provider understands (where restic's repository is, which remote rclone
 * takes) that provider declares. The sections `stack` and `notify` stand for each `[stack:NAME]` and `[notify:NAME]`.
 */
export const coreSettings: readonly SettingDeclaration[] = defineSettings([
  { section: 'docker', key: 'DOCKER_STACKS_DIR', aliases: ['STACKS_DIR'], flatAliases: ['BACKUP_DIR'], type: 'path', default: '/opt/docker-stacks', help: 'folder with one folder a stack' },
  { section: 'docker', key: 'DOCKER_TIMEOUT', aliases: ['TIMEOUT'], type: 'duration', default: 300 * second, range: { min: second, max: day }, help: 'how long a container that asks for no time itself (by `stop_grace_period` or the label `stackbk.stop-timeout`) may take to stop before it is killed' },
  { section: 'docker', key: 'STOP_MODE', type: 'choice', choices: ['auto', 'down', 'stop', 'pause', 'none'], default: 'auto', help: 'how a stack is kept quiet while it is read' },
  { section: 'docker', key: 'HEALTH_TIMEOUT', type: 'duration', default: 120 * second, range: { min: second, max: day }, help: 'how long a started stack may take to be up, its healthchecks included' },
  { section: 'docker', key: 'WARM_PASS', type: 'choice', choices: ['auto', 'true', 'false'], default: 'auto', help: 'a snapshot of the live stack first, so that the quiet one has less to read' },
  { section: 'docker', key: 'FREEZE', type: 'string', default: 'auto', help: 'file-system snapshot to read from with the stack running again: auto, btrfs, reflink, none, or the id of another freezer' },
  { section: 'docker', key: 'MAX_DOWNTIME', ...limit, help: 'past it the snapshot is given up and the stack started; none by default' },
  { section: 'docker', key: 'IGNORE_WRITERS', type: 'list', default: [], help: 'containers of other projects, by name or image, that never write to what is backed up though their mounts would let them; `*` and `?` match any characters' },
  { section: 'docker', key: 'DIRLIST', type: 'path', default: 'dirlist', help: 'the list of stacks that are on or off' },
  { section: 'docker', key: 'RUNTIME', type: 'string', default: 'compose', help: 'the container runtime' },

  { section: 'local_backup', key: 'BACKUP_TIMEOUT', ...limit, help: 'limit for one snapshot; none by default' },
  { section: 'local_backup', key: 'STALL_TIMEOUT', type: 'duration', default: 600 * second, range: { min: second, max: 30 * day }, help: 'how long a tool may show no progress' },
  { section: 'local_backup', key: 'HOSTNAME', type: 'string', help: "the host's name in every snapshot; the system's by default" },
  { section: 'local_backup', key: 'FORMER_MACHINES', type: 'list', default: [], help: 'IDs of machines that this one has replaced: their snapshots under its hostname count as its own' },
  { section: 'local_backup', key: 'KEEP_WITHIN', type: 'duration', default: 48 * hour, range: { min: 0, max: 3650 * day }, help: 'every snapshot of a stack that is at most this much older than its newest one is kept, in addition to the numbers below; 0 for none' },
  { key: 'KEEP_LAST', default: 0, ...keep, help: 'newest snapshots to keep' },
  { key: 'KEEP_DAILY', default: 7, ...keep, help: 'daily snapshots to keep' },
  { key: 'KEEP_WEEKLY', default: 4, ...keep, help: 'weekly snapshots to keep' },
  { key: 'KEEP_MONTHLY', default: 6, ...keep, help: 'monthly snapshots to keep' },
  { key: 'KEEP_YEARLY', default: 2, ...keep, help: 'yearly snapshots to keep' },
  { section: 'local_backup', key: 'AUTO_INIT', type: 'boolean', default: true, help: 'create the repository at the first backup if there is none and none was ever known here' },
  { section: 'local_backup', key: 'AUTO_PRUNE', type: 'boolean', default: true, help: 'forget and prune after each run' },
  { section: 'local_backup', key: 'ENABLE_VERIFICATION', type: 'boolean', default: true, help: 'verify each snapshot after the run' },
  { section: 'local_backup', key: 'VERIFICATION_DEPTH', type: 'choice', choices: ['metadata', 'files', 'data'], default: 'metadata', help: 'how much of a snapshot is verified' },
  { section: 'local_backup', key: 'INCLUDE_VOLUMES', type: 'boolean', default: true, help: "the stack's named local volumes too" },
  { section: 'local_backup', key: 'INCLUDE_BINDS', type: 'choice', choices: ['none', 'writable'], default: 'none', help: 'bind mounts outside the folder too' },
  { section: 'local_backup', key: 'IGNORE_MOUNTS', type: 'list', default: [], help: 'paths and volumes whose absence from the backup is known; a bind mount listed here is left out of it' },
  { section: 'local_backup', key: 'SHRINK_GUARD', type: 'percentage', default: 50, range: { min: 0, max: 100 }, help: 'least share of the last good snapshot that a new one must have' },
  { section: 'local_backup', key: 'MAX_AGE', type: 'duration', default: 26 * hour, range: { min: minute, max: 3650 * day }, help: 'age past which a stack or the cloud is overdue' },
  { section: 'local_backup', key: 'LOCK_WAIT', type: 'duration', range: { min: 0, max: 7 * day }, help: 'how long a run waits for another one instead of ending with 75; by default not at all, and 1 h with `--wait`, as the schedule has it' },
  { section: 'local_backup', key: 'ENGINE', type: 'string', default: 'restic', help: 'the snapshot engine' },

  { section: 'cloud_sync', key: 'PROVIDER', type: 'string', default: 'rclone', help: 'the transport to the cloud' },
  { section: 'cloud_sync', key: 'RETRIES', aliases: ['RCLONE_RETRIES'], type: 'integer', default: 3, range: { min: 0, max: 100 }, help: 'how often a failed transfer is tried again' },
  { section: 'cloud_sync', key: 'SYNC_TIMEOUT', ...limit, help: 'limit for one upload; none by default' },
  { section: 'cloud_sync', key: 'RESTORE_TIMEOUT', ...limit, help: 'limit for one download; none by default' },
  { section: 'cloud_sync', key: 'MAX_DELETE', type: 'percentage', default: 50, range: { min: 0, max: 100 }, help: 'largest share of the remote that one sync may delete' },
  { section: 'cloud_sync', key: 'TRASH_DAYS', type: 'integer', default: 0, range: { min: 0, max: 3650 }, help: 'days for which deleted files stay aside on the remote' },

  { section: 'drill', key: 'PROBE', type: 'string', help: 'command that must succeed in the rehearsed stack, without a shell: `SERVICE: COMMAND`, or `COMMAND` in its first service' },
  { section: 'drill', key: 'PROBE_TIMEOUT', type: 'duration', default: 60 * second, range: { min: second, max: day }, help: 'how long the probe may take' },
  { section: 'drill', key: 'SAMPLE_FILES', type: 'integer', default: 100, range: { min: 0, max: 1_000_000 }, help: 'files of the rehearsed stack compared with its snapshot' },
  { section: 'drill', key: 'PARALLEL_STACKS', type: 'integer', default: 0, range: { min: 0, max: 64 }, help: 'how many stacks are drilled at the same time at most; fewer where memory, disk or networks do not suffice. 0: twice the number of processors, up to 4' },

  { section: 'stack', key: 'STOP_MODE', type: 'choice', choices: ['auto', 'down', 'stop', 'pause', 'none'], help: 'how this stack is kept quiet' },
  { section: 'stack', key: 'DOCKER_TIMEOUT', aliases: ['TIMEOUT'], type: 'duration', range: { min: second, max: day }, help: 'how long a container of this stack that asks for no time itself may take to stop before it is killed' },
  { section: 'stack', key: 'IGNORE_WRITERS', type: 'list', default: [], help: "containers of other projects, by name or image, that never write to this stack's data, on top of the general ones" },
  { section: 'stack', key: 'EXCLUDE', type: 'list', default: [], help: 'patterns of files that its snapshots leave out' },
  { section: 'stack', key: 'INCLUDE_VOLUMES', type: 'boolean', help: 'its named local volumes too' },
  { section: 'stack', key: 'INCLUDE_BINDS', type: 'choice', choices: ['none', 'writable'], help: 'its bind mounts outside the folder too' },
  { section: 'stack', key: 'IGNORE_MOUNTS', type: 'list', default: [], help: 'paths and volumes whose absence from its backup is known, on top of the general ones; a bind mount listed here is left out of it' },
  { section: 'stack', key: 'WARM_PASS', type: 'choice', choices: ['auto', 'true', 'false'], help: 'a snapshot of the live stack first' },
  { section: 'stack', key: 'FREEZE', type: 'string', help: 'file-system snapshot to read from with the stack running again: auto, btrfs, reflink, none, or the id of another freezer' },
  { section: 'stack', key: 'MAX_DOWNTIME', ...limit, help: 'past it the snapshot is given up and the stack started' },
  { section: 'stack', key: 'SHRINK_GUARD', type: 'percentage', range: { min: 0, max: 100 }, help: 'least share of the last good snapshot that a new one must have' },
  { section: 'stack', key: 'PROBE', type: 'string', help: 'command that must succeed in the rehearsed stack, without a shell: `SERVICE: COMMAND`, or `COMMAND` in its first service' },

  { section: 'notify', key: 'TYPE', type: 'string', required: true, help: 'what tells: webhook, email, ping, textfile, command, or the id of a notifier of another plugin' },
  // Whoever knows the address of a webhook or a ping may use it: it is a password.
  { section: 'notify', key: 'URL', type: 'string', secret: true, help: 'where to' },
  { section: 'notify', key: 'SECRET_FILE', type: 'path', credential: true, help: 'file with the password or token alone' },
  { section: 'notify', key: 'ON', type: 'choice', choices: ['failure', 'warning', 'always'], default: 'failure', help: 'when to tell: of what did not end with 0, of that and of what ended with a warning, or of every run' },
])
