/** A folder and what is below it; `''` is the root. */
export function below(folder: string, path: string): string {
  return folder === '' ? path : path === '' ? folder : `${folder}/${path}`
}
