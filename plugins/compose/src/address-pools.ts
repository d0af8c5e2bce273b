import type { Failure } from '@stackbk/contract'

/** As the engine says it: up to Docker 27, and since. */
const noFreeRange = /non-overlapping IPv4 address pool|predefined address pools have been fully subnetted/i

/** Returns what to do if the engine has no free range of addresses for one more network; nothing for other words. */
export function fixForNoFreeRange(words: string): Pick<Failure, 'fix'> {
  if (!noFreeRange.test(words)) return {}
  return { fix: 'Docker has no free address range for another network: add ranges as default-address-pools in /etc/docker/daemon.json and restart Docker, or remove unused networks with: docker network prune' }
}
