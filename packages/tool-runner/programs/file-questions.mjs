// Answers questions about files, one after another, as lines of JSON. A file system that does not answer holds up this
// process and no other: whoever asked gives it up.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { perform } from './file-operations.mjs'
import { SlowMounts, walk } from './path-walk.mjs'

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, operation, path, detail } = JSON.parse(line)
  let mounts
  try {
    mounts = new SlowMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  } catch {
    mounts = new SlowMounts('')
  }
  let last = null
  walk(path, mounts, (mountPoint) => {
    if (mountPoint !== last) say({ id, on: mountPoint })
    last = mountPoint
    return true
  })
  try {
    say({ id, value: perform(operation, path, detail) ?? null })
  } catch (error) {
    say({ id, error: { code: error.code ?? '', message: error.message } })
  }
})
