const isoTime = /(?<![^\s("'])\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)(?![\w/-]|\.\w)/g

/** Returns a time in the zone of this host, to the second: `2026-01-31 02:30:00`. What is not a time stays as it is. */
export function localTime(time: string | Date): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return String(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** Returns a message as it is shown: results and the run log hold ISO times in UTC, a screen shows local ones. A time within a path or a name stays as it is. */
export function withLocalTimes(text: string): string {
  return text.replaceAll(isoTime, (time) => localTime(time))
}
