const types = { '-': 'file', d: 'directory', l: 'symlink' }

/** Returns an entry of a snapshot from a line of `borg list --json-lines`. borg leaves the first slash out. */
export function entryOf(line) {
  const { path, type, size, mode, uid, gid, mtime } = JSON.parse(line)
  return { path: `/${path}`, type: types[type] ?? 'other', bytes: type === '-' ? size : 0, mode: bitsOf(mode), uid, gid, modifiedAt: new Date(`${mtime}Z`).toISOString() }
}

/** Returns the bits of a mode in words, such as `-rwsr-x--x`. */
function bitsOf(mode) {
  let bits = 0
  for (const [index, letter] of [...mode.slice(1)].entries()) {
    if (!'-ST'.includes(letter)) bits |= 0o400 >> index
    if ('sStT'.includes(letter)) bits |= [0o4000, 0o2000, 0o1000][Math.floor(index / 3)]
  }
  return bits
}

/** Returns a path as borg's pattern for this path and all below it, taken literally. */
export function patternOf(path) {
  return `pp:${path.replace(/^\/+/, '')}`
}
