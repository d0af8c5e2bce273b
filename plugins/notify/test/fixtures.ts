import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type AnyDescriptor, Secret, type Notifier, type SettingValues, type StackbkEvent } from '@stackbk/contract'
import { createExec } from '@stackbk/tool-runner'

/** A live notifier with these settings; texts of secret keys are made secrets. */
export async function live(descriptor: AnyDescriptor, values: Readonly<Record<string, string | readonly string[]>>): Promise<Notifier> {
  const settings: SettingValues = Object.fromEntries([
    ['SECRET_FILE', values['SECRET_FILE'] ?? null],
    ...descriptor.settings.map(({ key, secret, default: value = null }) => [key, values[key] === undefined ? value : secret === true ? new Secret(String(values[key])) : values[key]]),
  ] as [string, SettingValues[string]][])
  return (await descriptor.create(settings, { signal: new AbortController().signal, log: () => {}, exec: createExec(), dryRun: false, cacheDir: '/nonexistent' })) as Notifier
}

/** A folder of a test's own. */
export function folder(): { readonly at: (name: string) => string; readonly write: (name: string, content: string) => string; readonly remove: () => void } {
  const root = mkdtempSync(join(tmpdir(), 'stackbk-notify-'))
  const at = (name: string): string => join(root, name)
  return {
    at,
    write: (name, content) => (writeFileSync(at(name), content, { mode: 0o600 }), at(name)),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** The end of a run, changed as said. */
export function finished(changes: Partial<StackbkEvent> = {}): StackbkEvent {
  return {
    schemaVersion: 1,
    event: 'run-finished',
    runId: '20260102T030405Z-abcdef',
    at: '2026-01-02T03:04:06.000Z',
    command: 'backup',
    dryRun: false,
    host: 'nas',
    exitCode: 0,
    result: { schemaVersion: 1, command: 'backup', status: 'ok', startedAt: '2026-01-02T03:04:05.000Z', finishedAt: '2026-01-02T03:04:06.000Z', durationMs: 1000, problems: [], stacks: [stack('web')] },
    ...changes,
  }
}

export function stack(name: string, changes: object = {}): object {
  return { name, status: 'ok', downtimeMs: 1500, readyMs: 2500, durationMs: 3000, snapshot: { id: 'a', bytesAdded: 2048, bytesProcessed: 1_000_000 }, problems: [], ...changes }
}
