#!/usr/bin/env node
// These lines must be understood by every Node that somebody may have, so that it can say that it is too old: no import at the
// top, nothing newer than ES2015 but import(). The program itself is main.js.
const oldestNode = [20, 5]

const foundNode = process.versions.node.split('.').map(Number)
const isTooOld = foundNode[0] < oldestNode[0] || (foundNode[0] === oldestNode[0] && foundNode[1] < oldestNode[1])

if (isTooOld) {
  const message = `stackbk needs Node ${oldestNode.join('.')} or newer; this is ${process.versions.node} (${process.execPath})`
  const fix = 'Install a newer Node, or put it first in PATH: https://nodejs.org/en/download'
  const isJson = process.argv.indexOf('--json') !== -1
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code: 'tool-too-old', message, fix, exitCode: 4 } }, null, 2)}\n`)
  else process.stderr.write(`Error: ${message}\nNext:  ${fix}\n`)
  process.exitCode = 4
} else {
  let hasEnded = false
  // A program that waits for what never comes ends without a word. That must not look like success.
  process.on('exit', (code) => {
    if (!hasEnded && code === 0) process.exitCode = 13
  })
  import('./main.js').then(
    () => {
      hasEnded = true
    },
    (error) => {
      hasEnded = true
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
      process.exitCode = 1
    }
  )
}
