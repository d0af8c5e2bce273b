import { asObject, asString, parseObject } from './json.js'

/** How much of a tool's talk is worth repeating. */
const mostLines = 10

/**
 * restic's own last words. With `--json` its errors are JSON lines on standard error, between them plain ones: the tries of
 * its backend, which the error at the end repeats, and advice that is about restic's command line.
 */
export function lastWords(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map(wordsOf)
    .filter((words) => words !== '')
  return [...new Set(lines)].slice(-mostLines).join('\n')
}

/** What one line of standard error says; empty where it says nothing of use. */
export function wordsOf(line: string): string {
  if (/^Load\(<.*\) failed: /.test(line)) return ''
  const message = parseObject(line)
  if (message === null) return line.trim()
  const text =
    message['message_type'] === 'error'
      ? asString(message['message']) || asString(asObject(message['error'])?.['message'])
      : asString(message['message'])
  const words = withoutQuestion(text.replace(/^(?:Fatal: )+/, '')).trim()
  return isAdvice(words) || /^Load\(<.*\) failed: /.test(words) ? '' : words
}

/** Removes restic's question about a location that the caller has named. */
function withoutQuestion(text: string): string {
  return text.replace(/\n?Is there a repository at the following location\?(?:\n.*)?/, '')
}

function isAdvice(words: string): boolean {
  return /^(?:The repository (?:is damaged|contains damaged)|restic repair |Damaged pack files can be|repository contains errors$)/.test(
    words,
  )
}
