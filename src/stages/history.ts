import { readFileSync } from 'node:fs'

import { concluded, type Outcome, type ResultHeader, type RunFacts } from './result.js'

/** A past run: its result as `--json` printed it, with its exit code. */
export type PastRun = ResultHeader & { readonly exitCode: number } & Readonly<Record<string, unknown>>

/** Returns true for a run that ended because a question was answered with no, or left: nothing was changed, and nothing failed. */
export function wasDeclined(result: unknown): boolean {
  return (result as { readonly declined?: unknown } | null | undefined)?.declined === true
}

export type HistoryResult = ResultHeader & { readonly runs: readonly PastRun[] }

export interface HistoryChoices {
  readonly limit: number
  /** Only runs that had to do with this stack. */
  readonly stack: string | undefined
  readonly since: Date | undefined
}

/** Past runs, newest first. */
export function history(run: RunFacts, file: string, choices: HistoryChoices): Outcome<HistoryResult> {
  const runs = readRuns(file)
    .filter((past) => choices.since === undefined || new Date(past.startedAt) >= choices.since)
    .filter((past) => choices.stack === undefined || namesIn(past).includes(choices.stack))
    .toReversed()
    .slice(0, choices.limit)
  return concluded(run, { runs }, { status: 'ok', problems: [] })
}

/** All that are on record, oldest first. A line cut short by a crash, or of something else, is passed over. */
export function readRuns(file: string): PastRun[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    try {
      const past = JSON.parse(line) as PastRun | null
      return isRun(past) ? [past] : []
    } catch {
      return []
    }
  })
}

function isRun(past: PastRun | null): past is PastRun {
  if (typeof past !== 'object' || past === null) return false
  const { runId, command, status, startedAt, durationMs, exitCode, problems } = past as Partial<PastRun>
  const areTexts = [runId, command, status, startedAt].every((text) => typeof text === 'string')
  return areTexts && !Number.isNaN(Date.parse(startedAt ?? '')) && [durationMs, exitCode].every((number) => typeof number === 'number') && Array.isArray(problems)
}

function namesIn(past: PastRun): string[] {
  return stacksIn(past).map(({ name }) => name)
}

/** A stack of a past run, as far as its report of that time says it. */
export interface PastStack {
  readonly name: string
  /** Milliseconds. */
  readonly downtimeMs: number | null
  readonly readyMs: number | null
}

/** Those that a run had to do with, by itself or within a whole run. */
export function stacksIn(past: PastRun): PastStack[] {
  const backup = past['backup'] as { stacks?: unknown } | null | undefined
  const lists = [past['stacks'], backup?.stacks].filter((list): list is (Partial<PastStack> | null)[] => Array.isArray(list))
  const duration = (value: unknown): number | null => (typeof value === 'number' ? value : null)
  return lists.flat().flatMap((stack) => (typeof stack?.name === 'string' ? [{ name: stack.name, downtimeMs: duration(stack.downtimeMs), readyMs: duration(stack.readyMs) }] : []))
}
