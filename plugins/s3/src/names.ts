import { done, failed, type Answer } from '@stackbk/contract'

/** Folders may come with slashes at either end; none of them counts. */
export function plainFolder(folder: string): string {
  return folder.replace(/^\/+/, '').replace(/\/+$/, '')
}

/** A folder and what is below it; `''` is the root. */
export function below(folder: string, path: string): string {
  return folder === '' ? path : path === '' ? folder : `${folder}/${path}`
}

/** What is no path below a folder, or leads out of it, is refused before anything is done. */
export function refuseNames(files: readonly string[]): Answer<void> {
  const bad = files.find((file) => file === '' || file.startsWith('/') || /[\n\r\0]/.test(file) || file.split('/').some((part) => part === '' || part === '.' || part === '..'))
  if (bad === undefined) return done
  return failed({ kind: 'usage', message: `not a path below a folder, in one line: ${JSON.stringify(bad)}` })
}

export function inWords(files: readonly string[]): string {
  return files.length === 1 ? (files[0] ?? '') : `${files.length} files`
}

/** Files that were asked for and are not there. */
export function missing(files: readonly string[], place: string): Answer<never> {
  const [first = ''] = files
  const others = files.length === 1 ? '' : ` and ${files.length - 1} more`
  return failed({ kind: 'not-found', message: `not there, or no regular file, in ${place}: ${first}${others}` })
}
