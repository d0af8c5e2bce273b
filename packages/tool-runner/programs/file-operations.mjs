import { accessSync, lstatSync, opendirSync, readdirSync, readFileSync, readlinkSync, realpathSync, statfsSync, statSync } from 'node:fs'

/**
 * Asks the file system, and returns plain data, so that the answer may come from another process.
 *
 * @param {string} operation
 * @param {string} path
 * @param {unknown} detail the mode of `access`
 */
export function perform(operation, path, detail) {
  switch (operation) {
    case 'stat':
      return factsOf(statSync(path))
    case 'lstat':
      return factsOf(lstatSync(path))
    case 'realpath':
      return realpathSync.native(path)
    case 'readlink':
      return readlinkSync(path)
    case 'readdir':
      return readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    case 'hasEntries':
      return hasEntries(path)
    case 'readFile':
      return readFileSync(path, 'utf8')
    case 'access':
      return accessSync(path, Number(detail))
    case 'statfs': {
      const { type, bavail, bsize } = statfsSync(path)
      return { type, bavail, bsize }
    }
    default:
      throw new Error(`there is no operation ${operation}`)
  }
}

/** Reads no more of the folder than its beginning. */
function hasEntries(path) {
  const folder = opendirSync(path)
  try {
    return folder.readSync() !== null
  } finally {
    folder.closeSync()
  }
}

function factsOf(stats) {
  const { dev, ino, mode, uid, gid, size, mtimeMs, ctimeMs } = stats
  return { kind: kindOf(stats), dev, ino, mode, uid, gid, size, mtimeMs, ctimeMs }
}

function kindOf(found) {
  if (found.isFile()) return 'file'
  if (found.isDirectory()) return 'directory'
  if (found.isSymbolicLink()) return 'link'
  return found.isSocket() ? 'socket' : 'other'
}
