/**
 * rclone takes every one of its flags from the environment too, as `RCLONE_` and the flag's name. What says how to reach a
 * remote (RCLONE_CONFIG_..., passwords, proxies, a backend's own options) is the user's business and stays. These would make
 * a call do something else than it says, or hide its answer from us, so they are taken out of the environment of our calls.
 */
const misleading = [
  // which files: an upload that leaves some out, or a list that does not show all
  ...['EXCLUDE', 'EXCLUDE_FROM', 'EXCLUDE_IF_PRESENT', 'INCLUDE', 'INCLUDE_FROM', 'FILTER', 'FILTER_FROM'],
  ...['FILES_FROM', 'FILES_FROM_RAW', 'FILES_FROM0', 'HASH_FILTER', 'IGNORE_CASE'],
  ...['METADATA_EXCLUDE', 'METADATA_EXCLUDE_FROM', 'METADATA_FILTER', 'METADATA_FILTER_FROM', 'METADATA_INCLUDE', 'METADATA_INCLUDE_FROM'],
  ...['MAX_AGE', 'MIN_AGE', 'MAX_SIZE', 'MIN_SIZE', 'MAX_DEPTH', 'DELETE_EXCLUDED'],
  // whether they are moved: one that is "the same" by another rule than ours, or never looked at
  ...['DRY_RUN', 'INTERACTIVE', 'SIZE_ONLY', 'CHECKSUM', 'IGNORE_TIMES', 'IGNORE_SIZE', 'IGNORE_EXISTING', 'UPDATE', 'IMMUTABLE'],
  ...['NO_CHECK_DEST', 'NO_TRAVERSE', 'COMPARE_DEST', 'COPY_DEST', 'MODIFY_WINDOW', 'ERROR_ON_NO_TRANSFER', 'TRACK_RENAMES'],
  ...['MAX_TRANSFER', 'MAX_DURATION', 'CUTOFF_MODE', 'MAX_DELETE', 'MAX_DELETE_SIZE'],
  // where they end up, and whether whole
  ...['BACKUP_DIR', 'SUFFIX', 'SUFFIX_KEEP_EXTENSION', 'INPLACE', 'PARTIAL_SUFFIX', 'NAME_TRANSFORM', 'IGNORE_CHECKSUM', 'RMDIRS'],
  // a part of a file in the place of all of it
  ...['OFFSET', 'COUNT', 'HEAD', 'TAIL', 'DISCARD', 'SEPARATOR'],
  // where its words go, and in which form
  ...['LOG_FILE', 'LOG_FORMAT', 'LOG_LEVEL', 'LOG_SYSTEMD', 'SYSLOG', 'QUIET', 'VERBOSE', 'PROGRESS', 'DUMP', 'DUMP_BODIES', 'DUMP_HEADERS'],
  ...['STATS', 'STATS_LOG_LEVEL', 'STATS_ONE_LINE', 'STATS_ONE_LINE_DATE', 'STATS_FILE_NAME_LENGTH', 'STATS_UNIT', 'HUMAN_READABLE'],
] as const

/** What a call adds to the inherited environment, and takes out of it. */
export function environmentOf(configFile: string | null): Readonly<Record<string, string | undefined>> {
  return {
    ...Object.fromEntries(misleading.map((flag) => [`RCLONE_${flag}`, undefined])),
    ...(configFile === null ? {} : { RCLONE_CONFIG: configFile }),
  }
}
