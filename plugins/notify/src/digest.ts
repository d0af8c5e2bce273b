import type { StackbkEvent } from '@stackbk/contract'

/** What a run's end comes to, for people; whatever the result lacks is left out. */
export interface Digest {
  readonly title: string
  readonly verdict: Verdict
  /** A line each. */
  readonly lines: readonly string[]
  readonly stacks: readonly DigestedStack[]
  readonly problems: readonly DigestedProblem[]
  readonly status: string
  readonly exitCode: number | null
}

/** - `warning`: it ended with 0, and has something to say. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'test'

export interface DigestedStack {
  readonly name: string
  readonly status: string
  /** Milliseconds. */
  readonly downtimeMs: number | null
  readonly bytesAdded: number | null
}

export interface DigestedProblem {
  readonly severity: string
  readonly message: string
  readonly fix: string
  readonly stack: string | null
}

/** A message is read on a telephone: more than so many lines of a kind are counted, not told. */
const mostOfAKind = 20

/** Reads whatever a result has; one of a later version, or none at all, gives less. */
export function digestOf(event: StackbkEvent): Digest {
  const result = recordOf(event.result)
  const status = textOf(result['status']) || 'unknown'
  const exitCode = event.exitCode ?? null
  const problems = listOf(result['problems']).map(problemOf)
  const stacks = stacksOf(result)
  const verdict: Verdict = event.isTest === true ? 'test' : (exitCode ?? (status === 'ok' ? 0 : 1)) !== 0 ? 'failed' : problems.length > 0 ? 'warning' : 'ok'
  const title = titleOf(event, { verdict, status, problems, stacks })
  const lines = [
    event.recoversFrom === undefined ? '' : `all is well again after the failure of ${event.recoversFrom.slice(0, 19).replace('T', ' ')} UTC`,
    ...capped(stacks.map(stackLine)),
    ...capped(problems.map(({ severity, stack, message, fix }) => `${severity}: ${stack === null ? '' : `${stack}: `}${message}${fix === '' ? '' : ` (${fix})`}`)),
    ...syncLines(result),
    lastLine(event, result),
  ].filter((line) => line !== '')
  return { title, verdict, lines, stacks, problems, status, exitCode }
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/** The stacks of a result, or of the backup within a whole run. */
function stacksOf(result: Readonly<Record<string, unknown>>): DigestedStack[] {
  const lists = [result['stacks'], recordOf(result['backup'])['stacks']]
  return lists.flatMap(listOf).map(recordOf).flatMap((stack) => {
    const name = textOf(stack['name'])
    if (name === '') return []
    return [{ name, status: textOf(stack['status']) || 'unknown', downtimeMs: numberOf(stack['downtimeMs']), bytesAdded: numberOf(recordOf(stack['snapshot'])['bytesAdded']) }]
  })
}

function titleOf({ command, host, exitCode, recoversFrom }: StackbkEvent, { verdict, status, problems, stacks }: Pick<Digest, 'verdict' | 'status' | 'problems' | 'stacks'>): string {
  const what = `stackbk ${command}${host === undefined || host === '' ? '' : ` on ${host}`}`
  const bad = stacks.filter((stack) => stack.status !== 'ok').map(({ name }) => name)
  const named = bad.length === 0 ? '' : ` (${bad.slice(0, 3).join(', ')}${bad.length > 3 ? ` and ${bad.length - 3} more` : ''})`
  const again = recoversFrom === undefined ? '' : ' again'
  switch (verdict) {
    case 'test':
      return `${what}: a test`
    case 'ok':
      return `${what}: ok${again}`
    case 'warning':
      return `${what}: ok${again}, ${problems.length} ${problems.length === 1 ? 'warning' : 'warnings'}`
    case 'failed':
      return `${what}: ${status === 'ok' ? `failed (exit code ${exitCode ?? 1})` : status}${named}`
  }
}

function stackLine({ name, status, downtimeMs, bytesAdded }: DigestedStack): string {
  const facts = [downtimeMs === null ? '' : `down ${inWords(downtimeMs)}`, bytesAdded === null ? '' : `new ${sizeInWords(bytesAdded)}`].filter((fact) => fact !== '')
  return `${name}: ${status}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`
}

function syncLines(result: Readonly<Record<string, unknown>>): string[] {
  const sync = result['uploaded'] === undefined ? recordOf(result['sync']) : result
  const uploaded = recordOf(sync['uploaded'])
  const [files, bytes] = [numberOf(uploaded['files']), numberOf(uploaded['bytes'])]
  if (files === null || bytes === null) return []
  return [`uploaded to ${textOf(sync['remote'])}: ${files} files, ${sizeInWords(bytes)}`]
}

function lastLine(event: StackbkEvent, result: Readonly<Record<string, unknown>>): string {
  const took = numberOf(result['durationMs'])
  const startedAt = textOf(result['startedAt'])
  const parts = [startedAt === '' ? '' : `begun ${startedAt.slice(0, 19).replace('T', ' ')} UTC`, took === null ? '' : `took ${inWords(took)}`, event.exitCode === undefined ? '' : `exit code ${event.exitCode}`, `run ${event.runId}`]
  return parts.filter((part) => part !== '').join(', ')
}

function problemOf(value: unknown): DigestedProblem {
  const problem = recordOf(value)
  return { severity: textOf(problem['severity']) || 'error', message: textOf(problem['message']).replaceAll(/\s*\n\s*/g, '; '), fix: textOf(problem['fix']), stack: textOf(problem['stack']) || null }
}

function capped(lines: readonly string[]): string[] {
  return lines.length <= mostOfAKind ? [...lines] : [...lines.slice(0, mostOfAKind), `... and ${lines.length - mostOfAKind} more`]
}

function inWords(milliseconds: number): string {
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`
  if (milliseconds < 7_200_000) return `${Math.round(milliseconds / 60_000)} min`
  return `${(milliseconds / 3_600_000).toFixed(1)} h`
}

function sizeInWords(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${unit === 0 ? bytes : (bytes / 1024 ** unit).toFixed(1)} ${units[unit] ?? ''}`
}
