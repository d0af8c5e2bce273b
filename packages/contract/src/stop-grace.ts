import type { ContainerState } from './runtime.js'

/** The label by which a container asks for the time that it needs to stop. */
export const stopTimeoutLabel = 'stackbk.stop-timeout'

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const longestSeconds = 86_400

/** Returns the seconds that a value of {@link stopTimeoutLabel} means: a number of seconds, or a number with a unit such as `90s` or `5m`, from one second to one day. `null` for any other text. */
export function readStopTimeout(text: string): number | null {
  const [, number, unit] = /^(\d{1,12})[ \t]*([smhd])?$/i.exec(text.trim()) ?? []
  if (number === undefined) return null
  const seconds = Number(number) * unitSeconds[unit?.toLowerCase() ?? 's']!
  return seconds >= 1 && seconds <= longestSeconds ? seconds : null
}

/**
 * Returns the grace of a container in seconds: its own where it asks for one, be it longer or shorter, else `graceSeconds`.
 * A state that does not say whether the container asks for one comes from a version that took the longer of the two.
 */
export function stopGraceOf(container: Pick<ContainerState, 'stopGraceSeconds' | 'isStopGraceExplicit'>, graceSeconds: number | undefined): number {
  if (container.isStopGraceExplicit === true || graceSeconds === undefined) return container.stopGraceSeconds
  return container.isStopGraceExplicit === false ? graceSeconds : Math.max(graceSeconds, container.stopGraceSeconds)
}
