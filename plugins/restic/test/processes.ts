import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface LiveProcess {
  readonly pid: number
  readonly args: readonly string[]
  readonly environment: readonly string[]
}

/** All processes that live now, as /proc shows them; those that vanish meanwhile are left out. */
export function liveProcesses(): readonly LiveProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const list = (file: string): string[] =>
          readFileSync(`/proc/${name}/${file}`, 'utf8')
            .split('\0')
            .filter((part) => part !== '')
        return [{ pid: Number(name), args: list('cmdline'), environment: list('environ') }]
      } catch {
        return []
      }
    })
    .filter(({ args }) => args.length > 0)
}

/** Those that work on this repository. */
export function resticsOn(repository: string): readonly LiveProcess[] {
  return liveProcesses().filter(
    ({ args, environment }) => args[0]?.includes('restic') === true && environment.includes(`RESTIC_REPOSITORY=${repository}`),
  )
}

/** Waits for a fact, looking every 5 ms; rejects when it does not come true in time. */
export async function until(fact: () => boolean, what: string, limitMs = 20_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!fact()) {
    if (performance.now() > deadline) throw new Error(`not so within ${limitMs} ms: ${what}`)
    await delay(5)
  }
}
