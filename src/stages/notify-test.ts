import type { StackbkEvent } from '@stackbk/contract'

import { nearestName } from '../config/nearest-name.js'
import { StackbkError, type Problem } from '../errors.js'
import { concluded, type Outcome, type ResultHeader } from './result.js'
import type { Run } from './run.js'

export interface TestedNotification {
  readonly name: string
  readonly type: string
  readonly status: 'ok' | 'failed'
  readonly durationMs: number
}

export type NotifyTestResult = ResultHeader & { readonly notifications: readonly TestedNotification[] }

/** Sends a test message to all, or to the one that is named; whatever their `ON` says. Throws (kind `usage`) where there is none of that name. */
export async function testNotifications(run: Run, wanted: string | undefined): Promise<Outcome<NotifyTestResult>> {
  const { notifiers } = run
  const names = notifiers.sections.map(({ name }) => name)
  if (wanted !== undefined && !names.includes(wanted)) throw unknownNotification(wanted, names)
  if (names.length === 0) {
    throw new StackbkError({ kind: 'nothing-to-do', code: 'no-notifications', message: 'no notifications are configured', detail: `there is no section [notify:NAME] in ${run.configuration.file}`, fix: 'Add one, for example: [notify:mail] with TYPE=email' })
  }
  const event: StackbkEvent = {
    schemaVersion: 1,
    event: 'run-finished',
    runId: run.id,
    at: new Date().toISOString(),
    command: run.command,
    dryRun: false,
    host: run.configuration.backup.hostname,
    exitCode: 0,
    isTest: true,
    result: concluded(run, {}, { status: 'ok', problems: [{ severity: 'warning', code: 'test', message: 'this is a test: nothing has happened', fix: '' }] }).result,
  }
  // A signal ends what waits for an answer.
  run.signal.addEventListener('abort', () => void notifiers.close(), { once: true })
  const chosen = notifiers.sections.filter(({ name }) => wanted === undefined || name === wanted)
  const tested = await Promise.all(chosen.map(async ({ name, type }) => {
    const begun = performance.now()
    const [untold] = await notifiers.tell(event, 'failure', [name])
    const notification: TestedNotification = { name, type, status: untold === undefined ? 'ok' : 'failed', durationMs: Math.round(performance.now() - begun) }
    const problems: readonly Problem[] = untold === undefined ? [] : [{ severity: 'error', code: 'not-told', message: `notification to [notify:${name}] failed: ${untold.message}`, fix: untold.fix.startsWith('Try it with') ? '' : untold.fix }]
    return { notification, problems }
  }))
  const failed = tested.filter(({ problems }) => problems.length > 0).length
  const status = failed === 0 ? 'ok' : failed < tested.length ? 'partial' : 'failed'
  return concluded(run, { notifications: tested.map(({ notification }) => notification) }, { status, problems: tested.flatMap(({ problems }) => problems) })
}

function unknownNotification(name: string, names: readonly string[]): StackbkError {
  const nearest = nearestName(name, names)
  return new StackbkError({
    kind: 'usage',
    code: 'unknown-notification',
    message: `there is no section [notify:${name}]`,
    detail: names.length === 0 ? 'there is none' : `there are: ${names.join(', ')}`,
    fix: nearest === null ? 'Check its name in the configuration' : `Did you mean ${nearest}?`,
  })
}
