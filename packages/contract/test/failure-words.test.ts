import { failureInOneLine, newWords } from '@stackbk/contract'
import { expect, test } from 'vitest'

test('words that only repeat the message are left out, whatever their case, spaces and full stop', () => {
  expect(newWords('Repository /srv/r does not exist', 'repository  /srv/r does not exist.')).toBe('')
  expect(newWords('there is no restic repository at /srv/r', '/srv/r\n')).toBe('')
  expect(newWords('reaching cloud:x failed', '')).toBe('')
})

test('of words that say something new each line stays once, in its order', () => {
  expect(newWords('reaching cloud:x failed', 'Failed to lsjson: token expired\n\n  Failed to lsjson: token expired.\nsee the log')).toBe('Failed to lsjson: token expired\nsee the log')
})

test('a failure in one line has the last line of the tool that says something new', () => {
  expect(failureInOneLine({ message: 'reaching cloud:x failed', toolOutput: 'dial tcp: connection refused\ncloud:x' })).toBe('reaching cloud:x failed: dial tcp: connection refused')
  expect(failureInOneLine({ message: 'no program restic in PATH' })).toBe('no program restic in PATH')
})
