/** Names of the packages that a call is installing: oclif tells its hook before, and not the one after. */
const installing: string[] = []

export function noteInstalling(name: string | null): void {
  if (name !== null) installing.push(name)
}

/** Those noted since it was asked last. */
export function takeInstalled(): readonly string[] {
  return installing.splice(0)
}
