import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * All records of a folder that were written atomically, one JSON file each. One that cannot be read, or that `isWhole` does not
 * know, is passed over: it is none of ours. No folder, no records.
 */
export function readRecords<T>(folder: string, isWhole: (record: Partial<T>) => boolean): readonly T[] {
  let names: string[]
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  } catch {
    return []
  }
  return names.flatMap((name) => {
    try {
      const record = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Partial<T> | null
      return record !== null && isWhole(record) ? [record as T] : []
    } catch {
      return []
    }
  })
}
