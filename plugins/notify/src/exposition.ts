/** One figure: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export interface Figure {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What each name means. The order is that of the file. */
export const meanings: Readonly<Record<string, string>> = {
  stackbk_last_run_timestamp_seconds: 'When the last run ended.',
  stackbk_last_success_timestamp_seconds: 'When the last run ended that was ok. The age is time() less this.',
  stackbk_status: 'How the last run ended: 0 ok, 1 partial, 2 failed, 3 interrupted or not reached.',
  stackbk_exit_code: 'What the last run exited with; 137 for one that was killed.',
  stackbk_duration_seconds: 'How long the last run took.',
  stackbk_downtime_seconds: 'How long the stack was down in the last run that stopped it.',
  stackbk_ready_seconds: 'The same until all was healthy again.',
  stackbk_added_bytes: 'What the repository grew by in the last run.',
  stackbk_processed_bytes: 'The size of what was read in the last run.',
  stackbk_uploaded_bytes: 'What the last run sent to the remote.',
  stackbk_problems: 'How many problems the last run had.',
  stackbk_notify_test_timestamp_seconds: 'When somebody last tried whether this file is written.',
}

/** The text of the file. */
export function writeFigures(figures: readonly Figure[]): string {
  return Object.entries(meanings)
    .map(([name, help]) => ({ name, help, own: figures.filter((figure) => figure.name === name) }))
    .filter(({ own }) => own.length > 0)
    .map(({ name, help, own }) => [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...own.toSorted((one, other) => keyOf(one).localeCompare(keyOf(other))).map(line), ''].join('\n'))
    .join('')
}

/** What an earlier run has written. What is not understood is passed over. */
export function readFigures(text: string): Figure[] {
  return text.split('\n').flatMap((row) => {
    const [, name = '', labels = '', value = ''] = /^(stackbk_\w+)(?:\{(.*)\})? (\S+)$/s.exec(row) ?? []
    if (!Object.hasOwn(meanings, name) || !Number.isFinite(Number(value))) return []
    return [{ name, labels: readLabels(labels), value: Number(value) }]
  })
}

/** The new ones, and of the old ones those that no new one takes the place of. */
export function mergeFigures(before: readonly Figure[], now: readonly Figure[]): Figure[] {
  const replaced = new Set(now.map(keyOf))
  return [...before.filter((figure) => !replaced.has(keyOf(figure))), ...now]
}

function line({ name, labels, value }: Figure): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

function readLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  return Object.fromEntries(pairs.map(([, label = '', value = '']) => [label, value.replaceAll(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign))]))
}

function keyOf({ name, labels }: Figure): string {
  return `${name} ${JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => one.localeCompare(other)))}`
}
