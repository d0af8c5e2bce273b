import { existsSync } from 'node:fs'

import type { Finding } from '@stackbk/contract'

import type { Environment } from '../../config/configuration.js'
import { realPathSoFar } from '../../host/mounts.js'
import type { Run } from '../run.js'
import { installedSchedules } from './installed.js'
import { hasCloud } from './sources.js'

/** Whether anything runs by itself, and whether it would find what it needs. For `doctor`. `dataFolder`: where this call looks for plugins. */
export async function examineSchedules(run: Run, request: { readonly environment: Environment; readonly dataFolder: string }): Promise<readonly Finding[]> {
  const schedules = await installedSchedules({ exec: run.exec, environment: request.environment, signal: run.signal })
  const own = schedules.filter(({ configuration }) => realPathSoFar(configuration) === realPathSoFar(run.configuration.file))
  const needed = 'a schedule that is enabled'
  if (own.length === 0) {
    const others = schedules.map(({ configuration }) => configuration)
    return [{ id: 'schedule', status: 'warning', found: others.length === 0 ? 'none' : `none with ${run.configuration.file}, only with ${others.join(', ')}`, needed, fix: 'Run: stackbk schedule install' }]
  }
  const isCloudConfigured = await hasCloud(run)
  return own.flatMap((schedule): readonly Finding[] => {
    const { kind, scope, at, active, nextRun, record } = schedule
    const name = kind === 'cron' ? 'the crontab' : `systemd timer of the ${scope}`
    const again = `Run again: stackbk schedule install${kind === 'cron' ? ' --cron' : scope === 'user' ? ' --user' : ''}`
    const lost = record.program.filter((path) => !existsSync(path))
    const found: Finding = active ? { id: 'schedule', status: 'ok', found: `${name}, ${at}${nextRun === null ? '' : `, next ${nextRun}`}`, needed, fix: '' } : { id: 'schedule', status: 'warning', found: `${name}, ${at}, not enabled`, needed, fix: again }
    return [
      found,
      ...(lost.length === 0 ? [] : [{ id: 'schedule.program', status: 'failed' as const, found: `${name} calls a program that no longer exists: ${lost.join(', ')}`, needed: 'a program that exists', fix: again }]),
      ...(record.sync === isCloudConfigured ? [] : [{ id: 'schedule.sync', status: 'warning' as const, found: record.sync ? `${name} syncs, and no cloud is configured` : `${name} only backs up, and a cloud is configured`, needed: 'a schedule that does what is configured', fix: again }]),
      ...(realPathSoFar(record.dataFolder) === realPathSoFar(request.dataFolder) ? [] : [{ id: 'schedule.plugins', status: 'warning' as const, found: `${name} takes plugins from ${record.dataFolder}, this call from ${request.dataFolder}`, needed: 'the same plugins at night as here', fix: again }]),
    ]
  })
}
