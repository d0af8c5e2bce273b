import { done, failed, type Answer } from './answer.js'

/** Folders may come with slashes at either end; none of them counts. */
export function plainFolder(folder: string): string {
  return folder.replace(/^\/+/, '').replace(/\/+$/, '')
}

/**
 * Names go to most tools a line each, and below a folder: what cannot be said so, or leads out of the folder, is refused (kind
 * `usage`) before anything is done. For every transport.
 */
export function refuseNames(files: readonly string[]): Answer<void> {
  const bad = files.find((file) => file === '' || file.startsWith('/') || /[\n\r\0]/.test(file) || file.split('/').some((part) => part === '' || part === '.' || part === '..'))
  if (bad === undefined) return done
  return failed({ kind: 'usage', message: `not a path below a folder, in one line: ${JSON.stringify(bad)}` })
}

/** One file by its name, more by their number. */
export function filesInWords(files: readonly string[]): string {
  return files.length === 1 ? (files[0] ?? '') : `${files.length} files`
}

/** Files that were asked for and are not there (kind `not-found`). */
export function filesMissing(files: readonly string[], place: string): Answer<never> {
  const [first = ''] = files
  const others = files.length === 1 ? '' : ` and ${files.length - 1} more`
  return failed({ kind: 'not-found', message: `not there, or no regular file, in ${place}: ${first}${others}` })
}
