/** What a schedule says of itself, in a comment of its own file, so that it is known wherever it was put by hand. */
export interface ScheduleRecord {
  readonly schemaVersion: 1
  /** As it was asked for. */
  readonly at: string
  /** The configuration that its calls take. */
  readonly configuration: string
  /** The run copies to the cloud too: not where none was configured. */
  readonly sync: boolean
  /** When `stackbk verify` and `stackbk drill` run, as it was asked for. Absent: they are not scheduled. */
  readonly verify?: string
  readonly drill?: string
  /** Node and the program. */
  readonly program: readonly string[]
  /** Where its calls look for plugins that the user installed. */
  readonly dataFolder: string
}

const mark = '# stackbk schedule: '

export function recordLine(record: ScheduleRecord): string {
  return `${mark}${JSON.stringify(record)}`
}

/** `null` for a text in which there is none. */
export function recordIn(text: string): ScheduleRecord | null {
  const line = text.split('\n').find((candidate) => candidate.startsWith(mark))
  if (line === undefined) return null
  try {
    const record = JSON.parse(line.slice(mark.length)) as Partial<ScheduleRecord> | null
    const isWhole = record?.schemaVersion === 1 && typeof record.at === 'string' && typeof record.configuration === 'string' && typeof record.dataFolder === 'string' && typeof record.sync === 'boolean' && Array.isArray(record.program)
    return isWhole ? (record as ScheduleRecord) : null
  } catch {
    return null
  }
}

/** A command that is scheduled besides the nightly run. */
export type ExtraCommand = 'verify' | 'drill'

/** Returns the scheduled commands besides the nightly run, with their times. */
export function extrasOf(record: ScheduleRecord): readonly { readonly command: ExtraCommand; readonly at: string }[] {
  return (['verify', 'drill'] as const).flatMap((command) => {
    const at = record[command]
    return typeof at === 'string' ? [{ command, at }] : []
  })
}

/** Returns the arguments of a scheduled verify or drill. Without a cloud a drill takes the local repository. */
export function extraWords(command: ExtraCommand, { sync }: ScheduleRecord): readonly string[] {
  return [command, ...(command === 'drill' && !sync ? ['--local'] : []), '--wait']
}

/** Returns the arguments of the nightly call. It waits for another run, such as a long drill, and fails if that one does not end. */
export function runWords({ sync }: ScheduleRecord): readonly string[] {
  return [...(sync ? ['run'] : ['run', '--no-sync']), '--wait', '--scheduled']
}
