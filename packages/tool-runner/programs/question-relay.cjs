// Runs in a worker of the main process: passes questions on to child processes, and gives up a child whose file system does
// not answer within the limit. So the main process can wait for an answer both with and without its own event loop.
// A CommonJS module, since Node loads others with the threads that a file system which hangs may hold.
const { spawn } = require('node:child_process')
const { createInterface } = require('node:readline')
const { clearTimeout, setTimeout } = require('node:timers')
const { fileURLToPath } = require('node:url')
const { workerData } = require('node:worker_threads')

const { port, bell, program } = workerData

/** A question that waits longer for a child gets one more: one file system that hangs must not hold up those on others. */
const growAfterMs = 150
const mostChildren = 16

/** @type {{ id: number, operation: string, path: string, detail: unknown, mountPoint: string, limitMs: number }[]} */
const queue = []
const children = new Set()
let growing = null

port.on('message', (question) => {
  queue.push(question)
  pump()
})

function tell(message) {
  port.postMessage(message)
  Atomics.add(bell, 0, 1)
  Atomics.notify(bell, 0)
}

function pump() {
  for (const child of children) {
    if (queue.length === 0) return
    if (child.question === null) give(child, queue.shift())
  }
  if (queue.length === 0) return
  if (children.size === 0) {
    start()
    pump()
  } else if (children.size < mostChildren && growing === null) {
    growing = setTimeout(() => {
      growing = null
      if (queue.length > 0) start()
      pump()
    }, growAfterMs)
  }
}

function start() {
  const tool = spawn(process.execPath, [fileURLToPath(program)], { cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'ignore'], detached: true })
  const child = { tool, question: null, on: null, limit: null, isGivenUp: false }
  children.add(child)
  tool.stdin.on('error', () => {})
  tool.once('error', (error) => end(child, error.message))
  tool.once('exit', () => end(child, 'the process that asks it has ended'))
  createInterface({ input: tool.stdout }).on('line', (line) => hear(child, JSON.parse(line)))
  if (tool.pid !== undefined) tell({ started: tool.pid })
}

function give(child, question) {
  child.question = question
  child.on = question.mountPoint
  child.limit = setTimeout(giveUp, question.limitMs, child)
  const { id, operation, path, detail } = question
  child.tool.stdin.write(`${JSON.stringify({ id, operation, path, detail })}\n`)
}

function hear(child, message) {
  if (message.on !== undefined) {
    child.on = message.on
    return
  }
  // It answers at last: whoever asked has gone on, but its file system may be asked again.
  if (child.isGivenUp) return tell({ answers: child.on })
  clearTimeout(child.limit)
  child.question = null
  tell(message)
  pump()
}

function giveUp(child) {
  const { question, on } = child
  child.isGivenUp = true
  children.delete(child)
  // It ends by itself as soon as it has answered.
  child.tool.stdin.end()
  tell({ id: question.id, hangs: on })
  for (let index = queue.length - 1; index >= 0; index -= 1) {
    if (queue[index].mountPoint === on) tell({ id: queue.splice(index, 1)[0].id, hangs: on })
  }
  pump()
}

function end(child, reason) {
  if (child.tool.pid !== undefined) tell({ ended: child.tool.pid })
  if (!children.delete(child)) return
  clearTimeout(child.limit)
  if (child.question !== null) tell({ id: child.question.id, error: { code: 'ECHILD', message: reason } })
  pump()
}
