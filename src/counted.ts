/** Returns a count with its noun: `1 file`, `2 files`. `several` is for nouns whose plural is not made with an s. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`
}
