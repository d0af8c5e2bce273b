import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

import { done, failed, type Notifier, type ProviderContext, type SettingValues, type StackbkEvent } from '@stackbk/contract'
import { parseArgsStringToArgv } from 'string-argv'

import { digestOf, recordOf, numberOf, textOf } from './digest.js'
import { clearText } from './secret-text.js'

/** The kernel takes 128 KiB for one variable; nobody reads so much. Characters. */
const mostOfVariable = 16_000

/** Runs a program with what happened in its environment, and the event as JSON on its standard input. */
export function createCommand(values: SettingValues, { exec }: ProviderContext): Notifier {
  const [file = '', ...args] = parseArgsStringToArgv(clearText(values['COMMAND']))
  return {
    async notify(event, { signal } = {}) {
      if (event.event !== 'run-finished') return done
      const result = await exec.run({ file, args, env: variablesOf(event), input: `${JSON.stringify(event)}\n`, keepBytes: 4_096, stop: { signal: 'SIGTERM', graceMs: 2_000 }, ...(signal === undefined ? {} : { signal }) })
      const toolOutput = result.stderr.trim()
      switch (result.outcome) {
        case 'exited':
          return result.exitCode === 0 ? done : failed({ kind: 'failed', message: `${file} exited with ${result.exitCode ?? result.endedBySignal ?? 'a signal'}`, toolOutput })
        case 'not-started':
          return failed({ kind: 'tool-missing', message: `${file} could not be started`, toolOutput: result.startError ?? '', fix: 'Correct COMMAND, or make the program executable' })
        case 'cancelled':
          return failed({ kind: 'cancelled', message: `${file} was ended before it was done` })
        case 'timed-out':
        case 'stalled':
          return failed({ kind: result.outcome, message: `${file} took too long`, toolOutput })
      }
    },
    ready: async () => done,
    async examine() {
      const found = await executable(file)
      const needed = 'a program that can be run'
      return [found === null ? { id: 'program', status: 'failed', found: `there is no program ${file}`, needed, fix: 'Correct COMMAND, or make it executable' } : { id: 'program', status: 'ok', found, needed, fix: '' }]
    },
    close: async () => {},
  }
}

/** `STACKBK_...`: what a script wants to know without reading JSON. */
export function variablesOf(event: StackbkEvent): Record<string, string> {
  const { title, verdict, lines, stacks, problems, status } = digestOf(event)
  const result = recordOf(event.result)
  const variables = {
    EVENT: event.event,
    RUN_ID: event.runId,
    AT: event.at,
    COMMAND: event.command,
    HOST: event.host ?? '',
    STATUS: status,
    VERDICT: verdict,
    EXIT_CODE: String(event.exitCode ?? ''),
    STARTED_AT: textOf(result['startedAt']),
    FINISHED_AT: textOf(result['finishedAt']),
    DURATION_MS: String(numberOf(result['durationMs']) ?? ''),
    TITLE: title,
    MESSAGE: lines.join('\n'),
    STACKS: stacks.map(({ name }) => name).join('\n'),
    FAILED_STACKS: stacks.filter((stack) => stack.status !== 'ok').map(({ name }) => name).join('\n'),
    PROBLEMS: problems.map(({ severity, stack, message }) => `${severity}: ${stack === null ? '' : `${stack}: `}${message}`).join('\n'),
    TEST: event.isTest === true ? 'true' : 'false',
    LOG: event.log ?? '',
  }
  // A variable cannot hold a zero byte.
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [`STACKBK_${name}`, value.replaceAll('\0', '').slice(-mostOfVariable)]))
}

async function executable(file: string): Promise<string | null> {
  const candidates = file.includes('/') ? [file] : (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, file))
  for (const candidate of file === '' ? [] : candidates) {
    const isThere = await access(candidate, constants.X_OK).then(() => true, () => false)
    if (isThere) return candidate
  }
  return null
}
