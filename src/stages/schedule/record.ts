/** What a schedule says of itself, in a comment of its own file, so that it is known wherever it was put by hand. */
export interface ScheduleRecord {
  readonly schemaVersion: 1
  /** As it was asked for. */
  readonly at: string
  /** The configuration that its calls take. */
  readonly configuration: string
  /** The run copies to the cloud too: not where none was configured. */
  readonly sync: boolean
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

/** The command of the nightly call. It waits for another run, such as a long drill. */
export function runWords({ sync }: ScheduleRecord): readonly string[] {
  return [...(sync ? ['run'] : ['run', '--no-sync']), '--wait']
}
