import type { Offers } from '../providers/offers.js'
import { listedPlugins } from '../stages/plugins.js'
import { describeInstalled } from './present-plugins.js'

/** Names of the packages that a call is installing: oclif tells its hook before, and not the one after. */
const installing: string[] = []

export function noteInstalling(name: string | null): void {
  if (name !== null) installing.push(name)
}

/** Those noted since it was asked last. */
export function takeInstalled(): readonly string[] {
  return installing.splice(0)
}

/** Shows on standard error what these plugins provide, or why they cannot be used; then the exit code is 1. */
export function showInstalled(offers: Offers, names: readonly string[]): void {
  process.stderr.write(`\n${describeInstalled(offers, names)}\n`)
  if (listedPlugins(offers).some(({ name, troubles }) => names.includes(name) && troubles.length > 0)) process.exitCode = 1
}
