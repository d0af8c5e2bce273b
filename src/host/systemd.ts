import { existsSync, readlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

import type { Exec, ToolResult } from '@stackbk/contract'

import { StackbkError } from '../errors.js'

/** The machine's own systemd, or that of one user. */
export type UnitScope = 'system' | 'user'

type Environment = Readonly<Record<string, string | undefined>>

/** Answers to questions come at once; a start may wait for disks. */
const questionLimitMs = 30_000
const startLimitMs = 120_000

/** Where units belong that an administrator (or the user) has written. */
export function unitFolder(scope: UnitScope, environment: Environment): string {
  if (scope === 'system') return '/etc/systemd/system'
  return join(environment['XDG_CONFIG_HOME'] || join(environment['HOME'] || homedir(), '.config'), 'systemd', 'user')
}

/** Where systemd notes when a timer with `Persistent=` last ran (systemd.timer(5)); `systemctl clean` removes it too, and wants D-Bus for it. */
export function timerStamp(scope: UnitScope, environment: Environment, timer: string): string {
  const data = scope === 'system' ? '/var/lib' : environment['XDG_DATA_HOME'] || join(environment['HOME'] || homedir(), '.local', 'share')
  return join(data, 'systemd', 'timers', `stamp-${timer}`)
}

/** Whether systemd runs this machine, by the test that sd_booted(3) makes. */
export function isSystemdHere(): boolean {
  return existsSync('/run/systemd/system')
}

/** Whether the services of this user go on without a session of theirs. */
export function isLingering(user: string): boolean {
  return existsSync(join('/var/lib/systemd/linger', user))
}

/** A unit that was switched off by a link to /dev/null is none of ours to write over. */
export function isMasked(path: string): boolean {
  try {
    return readlinkSync(path) === '/dev/null'
  } catch {
    return false
  }
}

/** One scope's systemd, by its tools. Every method throws `tool-missing` (4) where they are not there. */
export class Systemd {
  readonly #exec: Exec
  readonly #scope: UnitScope
  readonly #signal: AbortSignal

  constructor(exec: Exec, scope: UnitScope, signal: AbortSignal) {
    this.#exec = exec
    this.#scope = scope
    this.#signal = signal
  }

  /** Throws with systemd's own words (kind `failed`) where it does not do it. */
  async control(...args: readonly string[]): Promise<void> {
    const result = await this.#run('systemctl', this.#scoped(args), startLimitMs)
    if (result.exitCode === 0) return
    throw new StackbkError({
      kind: 'failed',
      code: 'systemd-refused',
      message: `systemctl ${args[0] ?? ''} failed`,
      detail: lastWords(result),
      fix: this.#scope === 'user' ? 'Try in a session of this user: systemctl --user status' : 'See: systemctl status stackbk.timer; journalctl -xe',
    })
  }

  /** Properties of a unit, as systemd shows them, times in UTC; empty where it knows none. */
  async properties(unit: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const result = await this.#run('systemctl', this.#scoped(['show', `--property=${names.join(',')}`, '--', unit]), questionLimitMs)
    if (result.exitCode !== 0) return new Map()
    return new Map(result.stdout.split('\n').filter((line) => line.includes('=')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  }

  #scoped(args: readonly string[]): string[] {
    return [...(this.#scope === 'user' ? ['--user'] : []), '--no-pager', '--no-ask-password', ...args]
  }

  async #run(file: string, args: readonly string[], timeoutMs: number): Promise<ToolResult> {
    const result = await this.#exec.run({ file, args, env: { LC_ALL: 'C', TZ: 'UTC' }, timeoutMs, signal: this.#signal })
    if (result.outcome !== 'not-started') return result
    throw new StackbkError({ kind: 'tool-missing', code: 'no-systemd', message: `${file} cannot be started`, detail: result.startError ?? '', fix: 'Without systemd: stackbk schedule install --cron, or see the units with --print' })
  }
}

/** When a calendar expression is next due. */
export interface CalendarLook {
  /** As systemd writes it in full. */
  readonly normalized: string
  /** ISO 8601 UTC; `null`: never again. */
  readonly next: string | null
}

/**
 * What systemd makes of a calendar expression. Throws `usage` with its own words for one that it does not take.
 *
 * @returns `null` where there is no systemd-analyze to ask
 */
export async function lookAtCalendar(exec: Exec, calendar: string, signal: AbortSignal): Promise<CalendarLook | null> {
  const result = await exec.run({ file: 'systemd-analyze', args: ['calendar', '--iterations=1', '--', calendar], env: { LC_ALL: 'C' }, timeoutMs: questionLimitMs, signal })
  if (result.outcome === 'not-started') return null
  if (result.exitCode !== 0 || calendar.trim() === '') {
    throw new StackbkError({
      kind: 'usage',
      code: 'bad-calendar',
      message: `systemd refused the time '${calendar}'`,
      detail: lastWords(result),
      fix: "Give a calendar expression as systemd writes it, such as '*-*-* 02:30:00', 'Mon..Fri 03:00' or daily (man systemd.time)",
    })
  }
  const normalized = /^\s*Normalized form: (.+)$/m.exec(result.stdout)?.[1] ?? calendar
  // The line in UTC is left out where the local time is that already.
  const elapse = /^\s*\(in UTC\): (.+)$/m.exec(result.stdout)?.[1] ?? /^\s*Next elapse: (.+)$/m.exec(result.stdout)?.[1]
  return { normalized, next: timeOf(elapse ?? '') }
}

/** `Thu 2026-11-26 02:30:00 UTC` as ISO 8601; `null` for what is no time (`never`, `n/a`, nothing). */
export function timeOf(text: string): string | null {
  const [, day, clock] = /^\w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? UTC$/.exec(text.trim()) ?? []
  return day === undefined || clock === undefined ? null : `${day}T${clock}.000Z`
}

function lastWords({ stderr, stdout, outcome }: ToolResult): string {
  const words = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join('\n')
  return outcome === 'exited' ? words : `${words} (${outcome})`.trim()
}
