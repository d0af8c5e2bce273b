import { borg } from '../index.js'

/** Returns what this plugin provides. */
export default async function providers() {
  return [borg]
}
