import { isSecret } from '@stackbk/contract'

import type { Configuration, ResolvedInSection } from './configuration.js'
import { redactAddress } from './secrecy.js'
import { writeSetting } from './setting-value.js'

/** One value that counts. */
export interface ShownSetting {
  readonly section: string
  readonly key: string
  /** In the notation of the file, secrets masked; `null` for none. */
  readonly value: string | null
  /** `default`, `environment NAME`, or `FILE:LINE`. */
  readonly origin: string
}

/** The effective values, secrets masked, each with its origin. */
export function shownSettings(configuration: Configuration): ShownSetting[] {
  return configuration.resolved().map((resolved) => ({
    section: resolved.section,
    key: resolved.declaration.key,
    value: shownValue(configuration, resolved),
    origin: originText(configuration.file, resolved.origin),
  }))
}

function shownValue(configuration: Configuration, { section, declaration, value }: ResolvedInSection): string | null {
  if (section === 'local_backup' && declaration.key === 'HOSTNAME') return configuration.backup.hostname
  if (value === null) return null
  const text = isSecret(value) ? String(value) : redactAddress(writeSetting(declaration, value))
  return text === '' ? null : text
}

function originText(file: string, origin: ResolvedInSection['origin']): string {
  switch (origin.kind) {
    case 'file':
      return `${file}:${origin.line}`
    case 'environment':
      return `environment ${origin.name}`
    case 'default':
      return 'default'
    case 'overruled':
      return `${file}:${origin.line}, overruled by ${origin.by}`
  }
}
