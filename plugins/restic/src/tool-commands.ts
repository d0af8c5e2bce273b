import { shellWord, type ToolCommands } from '@stackbk/contract'

/** Returns commands of restic for a person. They need the password, for which restic asks where its environment does not name it. */
export function toolCommands(repository: string): ToolCommands {
  const restic = `restic -r ${shellWord(repository)}`
  return { list: `${restic} snapshots --tag stackbk`, check: `${restic} check`, checkData: `${restic} check --read-data`, repair: `${restic} repair` }
}
