/** How a container ended, from the engine's own events. */
export interface ContainerEnd {
  readonly containerId: string
  readonly name: string
  readonly service: string
  readonly project: string
  readonly exitCode: number | null
  /** It did not end by itself within its grace and was killed. */
  readonly wasKilled: boolean
  /** The grace that it got. */
  readonly graceSeconds: number
  /** Seconds from the first signal to its end. Absent: not known. */
  readonly tookSeconds?: number
  /** ISO 8601. */
  readonly at: string
}
