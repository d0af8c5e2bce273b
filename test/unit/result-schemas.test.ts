import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

import { assertMatchesSchema } from '../fixtures/result-schemas.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const header = { schemaVersion: 1, runId: 'x', status: 'ok', dryRun: false, startedAt: '', finishedAt: '', durationMs: 1, problems: [] }

describe('the committed schemas', () => {
  it('are there for every command that has a result', () => {
    const { commands } = JSON.parse(readFileSync(`${root}oclif.manifest.json`, 'utf8')) as { commands: Record<string, { hidden?: boolean; flags: object }> }
    const names = Object.entries(commands).filter(([, { hidden, flags }]) => hidden !== true && 'json' in flags).map(([id]) => id.replaceAll(':', '-'))
    const without = names.filter((name) => !readdirSync(`${root}schemas`).includes(`${name}.schema.json`))
    // Called alone these only say what there is below them.
    expect(without.filter((name) => !['config', 'kit', 'schedule', 'notify'].includes(name))).toEqual([])
  })

  it('take what is right, and refuse a key that is missing, wrong or one too many', () => {
    const right = { ...header, command: 'schedule remove', removed: [{ kind: 'cron', scope: 'user' }] }
    expect(() => assertMatchesSchema(right)).not.toThrow()
    expect(() => assertMatchesSchema({ ...right, removed: undefined })).toThrow(/required property 'removed'/)
    expect(() => assertMatchesSchema({ ...right, removed: [{ kind: 'at', scope: 'user' }] })).toThrow(/removed\/0\/kind/)
    expect(() => assertMatchesSchema({ ...right, more: 1 })).toThrow(/additionalProperty.*more/)
    expect(() => assertMatchesSchema({ error: { code: 'x', message: 'y', fix: '', exitCode: 2 } })).not.toThrow()
    expect(() => assertMatchesSchema({ ...right, command: 'nosuch' })).toThrow(/no schemas\/nosuch/)
  })
})
