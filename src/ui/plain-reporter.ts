import { counted } from '../counted.js'
import type { Reporter, StackPhase } from '../stages/reporter.js'
import { localTime, withLocalTimes } from './local-time.js'

/** One line a phase, with the time: for a pipe, a timer, a log. */
export function plainReporter(write: (line: string) => void): Reporter {
  const last = new Map<string, StackPhase>()
  let step = ''
  let lastNote = ''
  const say = (text: string): void => write(`${localTime(new Date())} ${withLocalTimes(text)}`)
  /** What keeps a step from going on is worth a line of its own, once. */
  const sayNote = (note: string | undefined, prefix: string): void => {
    if (note === undefined || note === lastNote) return
    lastNote = note
    say(`${prefix}${note}`)
  }
  return {
    stacks: (names) => say(`${counted(names.length, 'stack')}: ${names.join(', ')}`),
    stackPhase: (name, phase, progress) => {
      sayNote(progress?.note, `${name}: `)
      if (last.get(name) === phase) return
      last.set(name, phase)
      say(`${name}: ${phase}`)
    },
    stackDone: (name, { status, summary }) => say(`${name}: ${status}${summary === '' ? '' : `, ${summary}`}`),
    step: (title, progress) => {
      sayNote(progress?.note, '')
      if (step === title) return
      step = title
      say(title)
    },
    notice: (text) => say(text),
    warning: (text) => say(`warning: ${text}`),
    close: () => Promise.resolve(),
  }
}
