import type { Progress } from '@stackbk/contract'

import type { Meter } from './meter.js'

/** So often progress is told at most. */
const leastGapMs = 250

export interface Course {
  readonly phase: string
  readonly direction: 'up' | 'down'
  /** Of all files that are to be moved, in bytes. */
  readonly sizes: readonly number[]
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** How far a transfer has come, by the bytes that have passed. What had to be sent twice counts once. */
export class Pulse {
  readonly #course: Course
  readonly #total: number
  readonly #begun = performance.now()
  readonly #unwatch: () => void
  #finishedBytes = 0
  #finishedFiles = 0
  #underwayBytes = 0
  #toldAt = 0

  constructor(meter: Meter, course: Course) {
    this.#course = course
    this.#total = course.sizes.reduce((sum, size) => sum + size, 0)
    this.#unwatch = meter.watch((direction, bytes) => {
      if (direction !== course.direction) return
      this.#underwayBytes += bytes
      if (performance.now() - this.#toldAt >= leastGapMs) this.#tell()
    })
  }

  /** A file is there, with all its bytes. */
  finish(bytes: number): void {
    this.#finishedFiles += 1
    this.#finishedBytes += bytes
    this.#underwayBytes = Math.max(0, this.#underwayBytes - bytes)
    if (this.#finishedFiles === this.#course.sizes.length || performance.now() - this.#toldAt >= leastGapMs) this.#tell()
  }

  end(): void {
    this.#unwatch()
  }

  #tell(): void {
    this.#toldAt = performance.now()
    const isOver = this.#finishedFiles === this.#course.sizes.length
    const bytesDone = isOver ? this.#total : Math.min(this.#total, this.#finishedBytes + this.#underwayBytes)
    const seconds = (this.#toldAt - this.#begun) / 1000
    this.#course.onProgress?.({
      phase: this.#course.phase,
      bytesDone,
      bytesTotal: this.#total,
      filesDone: this.#finishedFiles,
      filesTotal: this.#course.sizes.length,
      ...(seconds > 0 ? { bytesPerSecond: Math.round(bytesDone / seconds) } : {}),
    })
  }
}
