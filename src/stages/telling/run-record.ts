import { rmSync } from 'node:fs'
import { join } from 'node:path'

import type { StackbkEvent, ToolProcess } from '@stackbk/contract'
import { isSameProcess, readProcess } from '@stackbk/tool-runner/processes'

import { writeFileAtomically } from '../../host/atomic-write.js'
import { bootId } from '../../host/boot.js'
import { readRecords } from '../../host/record-files.js'
import { ensureFolder } from '../../host/state-folder.js'

/** That a run is under way: on disk before it changes anything, gone when it has ended and all who wanted to hear of it have. */
export interface RunRecord {
  readonly schemaVersion: 1
  readonly runId: string
  readonly command: string
  /** ISO 8601 UTC. */
  readonly startedAt: string
  readonly bootId: string
  readonly process: ToolProcess
  /** How it ended, once it has. */
  readonly event: StackbkEvent | null
  /** Who is still to hear of that; `null`: all. */
  readonly owedTo: readonly string[] | null
}

/** What could not be told for so long is no news any more. Milliseconds. */
const forgottenAfterMs = 14 * 24 * 3_600_000

/** The records of a state folder. */
export class RunRecords {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Throws the system's error. */
  write(record: Pick<RunRecord, 'runId' | 'command' | 'startedAt' | 'event' | 'owedTo'>): void {
    ensureFolder(this.#folder)
    const whole: RunRecord = { schemaVersion: 1, ...record, bootId: bootId(), process: { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? null } }
    writeFileAtomically(this.#path(record.runId), JSON.stringify(whole), { mode: 0o600 })
  }

  remove(runId: string): void {
    rmSync(this.#path(runId), { force: true })
  }

  /** Of runs that are no longer alive, oldest first. Those of long ago are removed. */
  ofTheDead(): readonly RunRecord[] {
    const all = readRecords<RunRecord>(this.#folder, ({ schemaVersion, runId, command, startedAt, process: owner }) => schemaVersion === 1 && [runId, command, startedAt].every((text) => typeof text === 'string') && typeof owner?.pid === 'number')
    const dead = all.filter((record) => record.bootId !== bootId() || !isSameProcess(record.process))
    const [old, recent] = [dead.filter(isOld), dead.filter((record) => !isOld(record))]
    for (const { runId } of old) this.remove(runId)
    return recent.toSorted((one, other) => one.startedAt.localeCompare(other.startedAt))
  }

  #path(runId: string): string {
    return join(this.#folder, `${runId.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.json`)
  }
}

function isOld({ startedAt, event }: RunRecord): boolean {
  return event !== null && Date.now() - Date.parse(startedAt) > forgottenAfterMs
}
