// A night over ten small running stacks of which nothing has changed: stackbk with verification and retention, against a
// shell script that does down, restic backup, up -d for each and one forget --prune at the end. In turns, each with a
// repository of its own. Downtime is first container die → last start, from the engine's own events.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { measure, median, report } from './measure.js'
import { listenToEngine, makeImage, writeStack } from './stack.js'

const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const count = Number(process.env.BENCH_STACKS ?? 10)
const tag = `stackbk-bench-${process.pid}`
const folder = mkdtempSync(join(tmpdir(), 'stackbk-bench-'))
const image = `${tag}/busybox:1`
const names = Array.from({ length: count }, (_, index) => `stack${index + 1}`)

async function makeStack(name) {
  const directory = join(folder, 'stacks', name)
  writeStack(directory, { project: `${tag}-${name}`, image, volumes: '"./data:/data", "keep:/keep"', declared: 'volumes: {keep: {}}\n' })
  for (let file = 0; file < 20; file++) writeFileSync(join(directory, 'data', `file${file}`), `${name} ${file}\n`.repeat(200))
  await measure('docker', ['compose', 'up', '-d'], { cwd: directory })
}

function configure() {
  writeFileSync(join(folder, 'password'), 'benchmark\n', { mode: 0o600 })
  writeFileSync(
    join(folder, 'config.ini'),
    `[docker]\nDOCKER_STACKS_DIR=${folder}/stacks\n[local_backup]\nRESTIC_REPOSITORY=${folder}/repository\nRESTIC_PASSWORD_FILE=${folder}/password\n`,
    { mode: 0o600 },
  )
  writeFileSync(join(folder, 'dirlist'), names.map((name) => `${name}=true\n`).join(''))
  writeFileSync(
    join(folder, 'script'),
    `set -e
export RESTIC_REPOSITORY=${folder}/script-repository RESTIC_PASSWORD_FILE=${folder}/password
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
const withDowntimes = (work) => engine.during(work, { projects: names.map((name) => `${tag}-${name}`), containers: 2 })
const byScript = () => withDowntimes(() => measure('sh', [join(folder, 'script')]))
const byStackbk = () =>
  withDowntimes(() => measure(process.execPath, ['bin/run.js', 'backup', '--json', '--config', join(folder, 'config.ini')], { withMemory: true, env: { ...process.env, STACKBK_STATE_DIR: join(folder, 'state') } }))

try {
  await makeImage(folder, image)
  for (const name of names) await makeStack(name)
  configure()
  await byScript()
  await byStackbk()
  const wall = []
  const down = []
  const figures = { script: [], own: [], scriptDown: [], ownDown: [], peak: [] }
  for (let round = 0; round < rounds; round++) {
    const script = await byScript()
    const own = await byStackbk()
    wall.push(own.ms / script.ms)
    down.push(median(own.downtimes) / median(script.downtimes))
    figures.script.push(script.ms)
    figures.own.push(own.ms)
    figures.scriptDown.push(median(script.downtimes))
    figures.ownDown.push(median(own.downtimes))
    figures.peak.push(own.peakBytes / 1024 ** 2)
  }
  console.log(`${count} stacks, ${rounds} rounds: wall ${(median(figures.own) / 1000).toFixed(1)} s against ${(median(figures.script) / 1000).toFixed(1)} s; downtime per stack ${(median(figures.ownDown) / 1000).toFixed(2)} s against ${(median(figures.scriptDown) / 1000).toFixed(2)} s`)
  report('wall time against the script, verification on', median(wall), 0.9)
  report('downtime per stack against the script', median(down), 0.75)
  report('peak memory of our own process', Math.max(...figures.peak), 120, ' MiB')
} finally {
  engine.close()
  for (const name of names) await measure('docker', ['compose', 'down', '--volumes', '--timeout', '1'], { cwd: join(folder, 'stacks', name) }).catch(() => {})
  await measure('docker', ['image', 'rm', image]).catch(() => {})
  rmSync(folder, { recursive: true, force: true })
}
