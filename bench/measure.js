import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Runs a command to its end, with the processor time (user and system, in milliseconds) of it and of every process that it
 * started and waited for. The shell that asks for these times costs one process more.
 */
export async function measureWithProcessorTime(file, args, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-times-'))
  try {
    const result = await measure('sh', ['-c', 'times=$1; shift; "$@"; code=$?; times > "$times"; exit $code', 'sh', join(folder, 'times'), file, ...args], options)
    return { ...result, processorMs: childrenTimes(readFileSync(join(folder, 'times'), 'utf8')) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The second line of `times` is that of the children: `1m2.50s 0m3.25s`. */
function childrenTimes(written) {
  const [, children = ''] = written.trim().split('\n')
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1000, 0)
}

/** Runs a command to its end, which has to be one of the `accepted` codes. Wall time in milliseconds, peak memory of that one process in bytes (Linux, VmHWM). */
export function measure(file, args, { accepted = [0], ...options } = {}) {
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
      if (!accepted.includes(code)) reject(new Error(`${file} ${args.join(' ')} ended with ${code}:\n${output}`))
      else resolve({ ms: performance.now() - begun, peakBytes: peak, output, stdout })
    })
  })
}

/** Of a shell that waits, its child counts. */
function peakOf(pid) {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    if (child !== undefined && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sh') return peakOf(child)
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
