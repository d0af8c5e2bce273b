import type { Finding } from '@stackbk/contract'

import type { Configuration } from '../config/configuration.js'
import type { Offers } from '../providers/collect.js'

/** Says that no remote is configured, and which lines to add to which file. For `doctor`. */
export function missingRemote({ file, exists, format, cloud }: Pick<Configuration, 'file' | 'exists' | 'format' | 'cloud'>, offers: Offers): Finding {
  const id = cloud.provider.slice(cloud.provider.lastIndexOf('#') + 1)
  const settings = offers.usable.find(({ descriptor }) => descriptor.kind === 'transport' && descriptor.id === id)?.descriptor.settings ?? []
  const required = settings.filter((setting) => setting.required === true)
  const section = required[0]?.section ?? 'cloud_sync'
  const lines = required.map(({ key }) => `${key}=...`)
  const words = lines.length === 0 ? 'the keys of the remote' : `the line${lines.length === 1 ? '' : 's'} ${lines.join(' and ')}`
  const fix = exists ? `To have a copy in the cloud, add ${words}${format === 'flat' ? '' : ` below [${section}]`} in ${file}` : 'Run: stackbk config init'
  const keys = required.map(({ key }) => key).join(', ')
  return { id: 'remote', status: 'warning', found: 'not configured', needed: `${keys === '' ? 'a remote' : keys}, for sync and restore`, fix }
}
