import type { StackbkEvent } from '@stackbk/contract'

import { listOf, numberOf, recordOf, textOf } from './digest.js'
import type { Figure } from './exposition.js'

type Result = Readonly<Record<string, unknown>>

const statuses: Readonly<Record<string, number>> = { ok: 0, partial: 1, failed: 2, interrupted: 3, skipped: 3 }

/** The figures of a run: of each stage, with an empty `stack`, and of each stack in it. */
export function figuresOf(event: StackbkEvent): Figure[] {
  if (event.isTest === true) return [{ name: 'stackbk_notify_test_timestamp_seconds', labels: {}, value: secondsOf(event.at) }]
  const result = recordOf(event.result)
  const whole = stageFigures(event.command, result, event)
  if (event.command !== 'run') return [...whole, ...stackFigures(event.command, result, event)]
  // A run that ended before its backup had a result has failed at that.
  const parts = (['backup', 'sync'] as const).flatMap((stage) => {
    const part = result[stage]
    if (typeof part === 'object' && part !== null) return [...stageFigures(stage, recordOf(part), event, null), ...stackFigures(stage, recordOf(part), event)]
    const wasWanted = stage === 'backup' || (part === null && event.exitCode !== 0)
    return wasWanted ? stageFigures(stage, { status: 'failed', finishedAt: result['finishedAt'] }, event, null) : []
  })
  return [...whole, ...parts]
}

/** `exitCode`: of the stage; `null` where only the whole run had one. */
function stageFigures(stage: string, result: Result, event: StackbkEvent, exitCode = event.exitCode ?? null): Figure[] {
  const labels = { stack: '', stage }
  const status = textOf(result['status'])
  const uploaded = recordOf(result['uploaded'])
  return figures(labels, {
    ...moments(status, secondsOf(textOf(result['finishedAt']) || event.at)),
    stackbk_exit_code: exitCode,
    stackbk_duration_seconds: seconds(result['durationMs']),
    stackbk_uploaded_bytes: numberOf(uploaded['bytes']),
    stackbk_problems: Array.isArray(result['problems']) ? result['problems'].length : null,
  })
}

function stackFigures(stage: string, result: Result, event: StackbkEvent): Figure[] {
  const at = secondsOf(textOf(result['finishedAt']) || event.at)
  return listOf(result['stacks']).map(recordOf).flatMap((stack) => {
    const name = textOf(stack['name'])
    if (name === '') return []
    const snapshot = recordOf(stack['snapshot'])
    return figures({ stack: name, stage }, {
      ...moments(textOf(stack['status']), at),
      stackbk_duration_seconds: seconds(stack['durationMs']) ?? seconds(stack['recoveryMs']),
      stackbk_downtime_seconds: seconds(stack['downtimeMs']),
      stackbk_ready_seconds: seconds(stack['readyMs']),
      stackbk_added_bytes: numberOf(snapshot['bytesAdded']),
      stackbk_processed_bytes: numberOf(snapshot['bytesProcessed']) ?? numberOf(stack['bytes']),
      stackbk_problems: Array.isArray(stack['problems']) ? stack['problems'].length : null,
    })
  })
}

function moments(status: string, at: number): Record<string, number | null> {
  return { stackbk_last_run_timestamp_seconds: at, stackbk_last_success_timestamp_seconds: status === 'ok' ? at : null, stackbk_status: statuses[status] ?? 2 }
}

function figures(labels: Figure['labels'], values: Readonly<Record<string, number | null>>): Figure[] {
  return Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [{ name, labels, value }]))
}

function seconds(value: unknown): number | null {
  const milliseconds = numberOf(value)
  return milliseconds === null ? null : milliseconds / 1000
}

function secondsOf(time: string): number {
  const milliseconds = Date.parse(time)
  return Number.isNaN(milliseconds) ? 0 : Math.round(milliseconds / 1000)
}
