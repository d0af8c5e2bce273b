import { setTimeout as pause } from 'node:timers/promises'

import { bandwidthAt, type BandwidthTimetable } from '@stackbk/contract'

/** So much is handed on at once: small enough to be seen moving, and to be slowed down evenly. Bytes. */
const pieceBytes = 64 * 1024

type Direction = 'up' | 'down'

/** Sees every byte that goes up or comes down, tells those who want to know, and slows it down to the bandwidth limit. */
export class Meter {
  readonly #timetable: BandwidthTimetable | null
  readonly #watchers = new Set<(direction: Direction, bytes: number) => void>()
  readonly #freeAt: Record<Direction, number> = { up: 0, down: 0 }

  constructor(timetable: BandwidthTimetable | null) {
    this.#timetable = timetable
  }

  /** @returns ends the watching */
  watch(watcher: (direction: Direction, bytes: number) => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** A body in pieces, each when there is room for it. */
  async *pieces(body: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < body.length; start += pieceBytes) {
      const piece = body.subarray(start, start + pieceBytes)
      await this.pass('up', piece.length)
      yield piece
    }
  }

  /** Waits until so many bytes may pass, and counts them. 0: only a sign of life. */
  async pass(direction: Direction, bytes: number): Promise<void> {
    const rate = this.#timetable === null ? null : bandwidthAt(this.#timetable, new Date())[direction]
    if (rate !== null) {
      const now = performance.now()
      const turn = Math.max(now, this.#freeAt[direction])
      this.#freeAt[direction] = turn + (bytes / rate) * 1000
      if (turn > now) await pause(turn - now)
    }
    for (const watcher of this.#watchers) watcher(direction, bytes)
  }
}
