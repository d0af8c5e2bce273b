import { folder } from '../index.js'

/** What stackbk asks every plugin: what do you provide? */
export default async function providers() {
  return [folder]
}
