import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Runs a command to its end. Wall time in milliseconds, peak memory of that one process in bytes (Linux, VmHWM). */
export function measure(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const begun = performance.now()
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    let output = ''
    let stdout = ''
    let peak = 0
    child.stdout.on('data', (chunk) => {
      output += chunk
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => (output += chunk))
    const look = options.withMemory ? setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 20) : null
    child.on('error', reject)
    child.on('close', (code) => {
      if (look !== null) clearInterval(look)
      if (code !== 0) reject(new Error(`${file} ${args.join(' ')} ended with ${code}:\n${output}`))
      else resolve({ ms: performance.now() - begun, peakBytes: peak, output, stdout })
    })
  })
}

function peakOf(pid) {
  try {
    return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

export function median(values) {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** A line of the report: what, the figure, the goal, whether it is met. */
export function report(what, figure, goal, unit = '×') {
  const verdict = figure <= goal ? 'met' : 'MISSED'
  console.log(`${what.padEnd(58)} ${figure.toFixed(2)}${unit}  goal ≤ ${goal}${unit}  ${verdict}`)
}
