import type { Engine, ToolCommands } from '@stackbk/contract'

import type { Run } from './run.js'

type Configured = Pick<Run, 'configuration'>

/** Returns the key that says where the repository is, for advice: `RESTIC_REPOSITORY`. */
export function repositoryKey({ configuration }: Configured): string {
  return configuration.settingNames.repository.join(' and ') || `the repository of the engine "${configuration.backup.engine}"`
}

/** Returns the keys that say where the copy is, for advice: `RCLONE_REMOTE and RCLONE_PATH`. */
export function remoteKeys({ configuration }: Configured): string {
  return configuration.settingNames.remote.join(' and ') || `the keys of the transport "${configuration.cloud.provider}"`
}

/** Returns the way to give the password, for advice; empty for an engine without one. */
export function passwordKey({ configuration }: Configured): string {
  return configuration.settingNames.password ?? ''
}

/** Returns the tool's own commands for the repository in a folder, `null` for the configured one. */
export function toolCommands(engine: Engine, repository: string | null): ToolCommands {
  return engine.toolCommands?.({ repository }) ?? {}
}

/** Returns advice with a command of the tool, or the general advice where the engine knows none. */
export function adviseTool(before: string, command: string | undefined, otherwise: string): string {
  return command === undefined ? otherwise : `${before}${command}`
}
