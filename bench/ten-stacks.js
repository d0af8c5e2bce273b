// A night over small running stacks of which nothing has changed: stackbk with verification and retention, once with `down` and
// once with `stop`, against a shell script that does down, restic backup, up -d for each and one forget --prune at the end. In
// turns, each with a repository of its own. Downtime is first container die → last start, from the engine's own events.
// Processor time is that of all processes, children included; the engine's own is in neither. Then the same with many stacks.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { measure, measureWithProcessorTime, median, report } from './measure.js'
import { listenToEngine, makeImage, writeStack } from './stack.js'

const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const count = Number(process.env.BENCH_STACKS ?? 10)
const many = Number(process.env.BENCH_MANY_STACKS ?? 100)
const tag = `stackbk-bench-${process.pid}`
const folder = mkdtempSync(join(tmpdir(), 'stackbk-bench-'))
const image = `${tag}/busybox:1`
const allNames = Array.from({ length: Math.max(count, many) }, (_, index) => `stack${index + 1}`)
const names = allNames.slice(0, count)
const modes = ['down', 'stop']
const mostAttempts = 100
const made = []

/** The engine's own address pools are used up after thirty networks or so: each stack has sixteen addresses of its own here. */
function subnetOf(name) {
  const index = allNames.indexOf(name)
  return `10.213.${Math.floor(index / 16)}.${(index % 16) * 16}/28`
}

async function makeStack(name) {
  const directory = join(folder, 'stacks', name)
  const declared = `volumes: {keep: {}}\nnetworks: {default: {ipam: {config: [{subnet: ${subnetOf(name)}}]}}}\n`
  writeStack(directory, { project: `${tag}-${name}`, image, volumes: '"./data:/data", "keep:/keep"', declared })
  for (let file = 0; file < 20; file++) writeFileSync(join(directory, 'data', `file${file}`), `${name} ${file}\n`.repeat(200))
  made.push(name)
  await measure('docker', ['compose', 'up', '-d'], { cwd: directory })
}

/** A configuration with a repository and a state folder of its own. */
function configure(key, { mode, stacks }) {
  writeFileSync(join(folder, 'password'), 'benchmark\n', { mode: 0o600 })
  writeFileSync(
    join(folder, `${key}.ini`),
    `[docker]\nDOCKER_STACKS_DIR=${folder}/stacks\nSTOP_MODE=${mode}\n[local_backup]\nRESTIC_REPOSITORY=${folder}/repository-${key}\nRESTIC_PASSWORD_FILE=${folder}/password\n`,
    { mode: 0o600 },
  )
  return { file: join(folder, `${key}.ini`), state: join(folder, `state-${key}`), stacks }
}

/**
 * New repositories whose passwords cost the same to check. restic sets that cost by how busy the machine is at the moment, so that
 * it can differ by two thirds between two of them, and each call of restic would pay for it.
 */
async function makeRepositories(paths) {
  let wanted = null
  for (const path of paths) {
    for (let attempt = 1; ; attempt++) {
      if (attempt > mostAttempts) throw new Error(`no repository with a password of the cost ${wanted} could be made`)
      rmSync(path, { recursive: true, force: true })
      await measure('restic', ['init', '--quiet', '--repo', path, '--password-file', join(folder, 'password')])
      const { N, r, p } = JSON.parse(readFileSync(join(path, 'keys', readdirSync(join(path, 'keys'))[0]), 'utf8'))
      const cost = [N, r, p].join()
      wanted ??= cost
      if (cost === wanted) break
    }
  }
}

function writeScript() {
  writeFileSync(
    join(folder, 'script'),
    `set -e
export RESTIC_REPOSITORY=${folder}/repository-script RESTIC_PASSWORD_FILE=${folder}/password
restic cat config >/dev/null 2>&1 || restic init >/dev/null
for stack in ${names.join(' ')}; do
  cd ${folder}/stacks/$stack
  docker compose down >/dev/null 2>&1
  restic backup -q --tag stack:$stack . /var/lib/docker/volumes/${tag}-\${stack}_keep/_data
  docker compose up -d >/dev/null 2>&1
done
restic forget -q --keep-daily 7 --keep-weekly 4 --keep-monthly 6 --group-by host,tags --prune
`,
  )
}

const engine = listenToEngine(tag)
const withDowntimes = (work, stacks) => engine.during(work, { projects: stacks.map((name) => `${tag}-${name}`), containers: 2 })
const byScript = () => withDowntimes(() => measureWithProcessorTime('sh', [join(folder, 'script')]), names)

async function byStackbk({ file, state, stacks }) {
  // The list of stacks lies next to the configuration, and all configurations share that folder.
  writeFileSync(join(folder, 'dirlist'), allNames.map((name) => `${name}=${stacks.includes(name)}\n`).join(''))
  const from = logOf(state).length
  const result = await withDowntimes(
    () => measureWithProcessorTime(process.execPath, ['bin/run.js', 'backup', '--json', '--config', file], { withMemory: true, env: { ...process.env, STACKBK_STATE_DIR: state } }),
    stacks,
  )
  return { ...result, processes: logOf(state).slice(from).reduce((sum, line) => sum + processesOf(line), 0) }
}

/** The run log has a line for each tool that was run. */
function logOf(state) {
  try {
    return readFileSync(join(state, 'stackbk.log'), 'utf8').split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
  } catch {
    return []
  }
}

/** `docker compose` is the client, the plugin asked for its description, and the plugin. */
function processesOf({ message, tool, args }) {
  if (message !== 'tool ended') return 0
  return tool === 'docker' && args?.[0] === 'compose' ? 3 : 1
}

const summary = (results) => ({
  ms: median(results.map((one) => one.ms)),
  processorMs: median(results.map((one) => one.processorMs)),
  downMs: median(results.map((one) => median(one.downtimes))),
})

function line(what, stacks, results) {
  const { ms, processorMs, downMs } = summary(results)
  console.log(`${what.padEnd(24)} ${(ms / 1000).toFixed(1)} s, processor ${(processorMs / 1000).toFixed(1)} s, down ${(downMs / 1000).toFixed(2)} s a stack; a stack: ${(ms / stacks).toFixed(0)} ms, processor ${(processorMs / stacks).toFixed(0)} ms`)
}

try {
  await makeImage(folder, image)
  for (const name of names) await makeStack(name)
  writeScript()
  const own = Object.fromEntries(modes.map((mode) => [mode, configure(mode, { mode, stacks: names })]))
  await makeRepositories(['script', ...modes, ...(many > count ? ['many'] : [])].map((key) => join(folder, `repository-${key}`)))
  await byScript()
  for (const mode of modes) await byStackbk(own[mode])
  const results = { script: [], down: [], stop: [] }
  for (let round = 0; round < rounds; round++) {
    results.script.push(await byScript())
    for (const mode of modes) results[mode].push(await byStackbk(own[mode]))
  }
  console.log(`${count} stacks, medians of ${rounds} rounds`)
  line('script', count, results.script)
  for (const mode of modes) line(`stackbk, ${mode}`, count, results[mode])
  const ratio = (mode, figure) => median(results[mode].map((one, round) => figure(one) / figure(results.script[round])))
  for (const mode of modes) {
    report(`wall time against the script, ${mode}, verification on`, ratio(mode, (one) => one.ms), 0.75)
    report(`downtime per stack against the script, ${mode}`, ratio(mode, (one) => median(one.downtimes)), mode === 'down' ? 0.6 : 0.45)
    report(`processor time against the script, ${mode}`, ratio(mode, (one) => one.processorMs), 1.2)
    report(`processes per stack, ${mode}`, median(results[mode].map((one) => one.processes)) / count, 8, '')
  }
  report('peak memory of our own process', Math.max(...modes.flatMap((mode) => results[mode].map((one) => one.peakBytes / 1024 ** 2))), 120, ' MiB')

  if (many > count) {
    for (const name of allNames.slice(count)) await makeStack(name)
    const all = configure('many', { mode: 'down', stacks: allNames.slice(0, many) })
    await byStackbk(all)
    const large = []
    for (let round = 0; round < rounds; round++) large.push(await byStackbk(all))
    line(`stackbk, ${many} stacks`, many, large)
    const few = summary(results.down)
    const lots = summary(large)
    report(`time per stack, ${many} stacks against ${count}`, lots.ms / many / (few.ms / count), 1.15)
    report(`processor time per stack, ${many} stacks against ${count}`, lots.processorMs / many / (few.processorMs / count), 1.15)
  }
} finally {
  engine.close()
  for (const name of made) await measure('docker', ['compose', 'down', '--volumes', '--timeout', '1'], { cwd: join(folder, 'stacks', name) }).catch(() => {})
  await measure('docker', ['image', 'rm', image]).catch(() => {})
  rmSync(folder, { recursive: true, force: true })
}
