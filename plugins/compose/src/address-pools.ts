import type { Failure } from '@stackbk/contract'

/** As the engine says it: the first until Docker 26, the second since Docker 27. */
const noFreePool = /non-overlapping IPv4 address pool|predefined address pools have been fully subnetted/i

/** What can be done where the engine has no address pool left for one more network. */
export const addressPoolFix = 'Remove networks that nothing uses (docker network prune), or give the engine more address pools: default-address-pools in /etc/docker/daemon.json, such as [{"base": "10.200.0.0/16", "size": 24}], then restart the engine'

/** Returns whether the engine says that it has no address pool left for one more network. */
export function saysNoFreePool(words: string): boolean {
  return noFreePool.test(words)
}

/** Returns what to do if the engine's words say that it has no address pool left; nothing for other words. */
export function fixForNoFreePool(words: string): Pick<Failure, 'fix'> {
  return saysNoFreePool(words) ? { fix: addressPoolFix } : {}
}
