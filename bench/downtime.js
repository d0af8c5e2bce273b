// How long a stack is down while it is backed up: stackbk against the usual shell script (down, restic backup, up -d) and
// against Compose's bare down and up. Two services with a health dependency, one big file that nothing compresses and many
// small ones; on an ordinary disk, on btrfs and on XFS. In turns, a fresh repository for each first backup. Downtime is first
// container die → last container start, from the engine's own events. scripts/bench-downtime brings folder and file systems.
import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'

import { measure, median, report } from './measure.js'
import { listenToEngine, makeImage, writeStack } from './stack.js'

const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const mebibytes = Number(process.env.BENCH_MIB ?? 1024)
const smallMebibytes = Math.max(1, Math.round(mebibytes / 16))
const fileCount = Number(process.env.BENCH_FILES ?? 20_000)
const only = process.env.BENCH_ONLY?.split(',') ?? ['ordinary', 'btrfs', 'xfs']
const folder = needed('BENCH_FOLDER')
const tag = needed('BENCH_TAG')
const image = `${tag}/busybox:1`
const passwordFile = join(folder, 'password')

/** Our own figure for a window and the engine's, as heard here, are the same but for rounding. */
const reportToleranceMs = 50

function needed(name) {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set: run scripts/bench-downtime`)
  return value
}

// ---- what is measured on

/** A running stack below `place`, its data in its own folder. */
async function makeStack(place, size, bigMebibytes) {
  const name = `${place}-${size}`
  const stacks = place === 'ordinary' ? join(folder, 'stacks') : join(folder, place, 'stacks')
  const stack = { name, project: `${tag}-${name}`, stacks, directory: join(stacks, name), mebibytes: bigMebibytes }
  writeStack(stack.directory, { project: stack.project, image, volumes: '"./data:/data"' })
  await writeData(join(stack.directory, 'data'), bigMebibytes)
  await measure('docker', ['compose', 'up', '-d'], { cwd: stack.directory })
  return stack
}

async function writeData(directory, bigMebibytes) {
  const part = Buffer.alloc(1024 ** 2)
  const big = createWriteStream(join(directory, 'big'))
  for (let written = 0; written < bigMebibytes; written++) {
    randomFillSync(part)
    if (!big.write(Buffer.from(part))) await once(big, 'drain')
  }
  big.end()
  await once(big, 'close')
  for (let number = 0; number < fileCount; number++) {
    const below = join(directory, `small${Math.floor(number / 500)}`)
    if (number % 500 === 0) mkdirSync(below)
    writeFileSync(join(below, `file${number}`), `${directory} ${number}\n`.repeat(5 + (number % 40)))
  }
}

// ---- ways to back it up

const engine = listenToEngine(tag)

/** What was written before is on disk first: no run pays for another one's bytes. */
async function timed(stack, work) {
  await measure('sync', ['--file-system', folder, stack.directory])
  const { ms, downtimes, ...rest } = await engine.during(work, { projects: [stack.project], containers: 2 })
  return { ...rest, wallMs: ms, downMs: downtimes[0] }
}

const bare = (stack) => timed(stack, () => measure('sh', ['-c', 'docker compose down && docker compose up -d'], { cwd: stack.directory }))

/** The script as most people have it; its repository is made before. */
function scriptFor(stack) {
  const repository = fresh('script-repository')
  const env = { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD_FILE: passwordFile }
  return {
    init: () => measure('restic', ['init', '--quiet'], { env }),
    backup: () => timed(stack, () => measure('sh', ['-ec', 'docker compose down; restic backup --quiet --tag "stack:$0" .; docker compose up -d', stack.name], { cwd: stack.directory, env })),
  }
}

/** stackbk with a repository and a memory of its own. */
function stackbkFor(stack, settings) {
  const repository = fresh('stackbk-repository')
  const state = fresh('state')
  const config = join(folder, 'config.ini')
  const lines = ['[docker]', `DOCKER_STACKS_DIR=${stack.stacks}`, `DIRLIST=${join(folder, 'dirlist')}`, ...settings, '[local_backup]', `RESTIC_REPOSITORY=${repository}`, `RESTIC_PASSWORD_FILE=${passwordFile}`]
  writeFileSync(config, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
  writeFileSync(join(folder, 'dirlist'), `${stack.name}=true\n`)
  return {
    /** `claims`: what the report has to say of it. Another way of doing it, chosen in silence, is no result. */
    async backup(claims, flags = []) {
      const run = await timed(stack, () => measure(process.execPath, ['bin/run.js', 'backup', '--json', '--config', config, ...flags], { env: { ...process.env, STACKBK_STATE_DIR: state } }))
      const [about] = JSON.parse(run.stdout).stacks
      const facts = { status: 'ok', quiet: true, ...claims }
      for (const [key, claimed] of Object.entries(facts)) {
        if (!(key in about)) unproven.add(`the report does not say ${key}`)
        else if (about[key] !== claimed) throw new Error(`${stack.name}: the report says ${key} is ${JSON.stringify(about[key])}, not ${JSON.stringify(claimed)}:\n${JSON.stringify(about, null, 2)}`)
      }
      if (Math.abs(about.downtimeMs - run.downMs) > reportToleranceMs) throw new Error(`${stack.name}: the report says it was down for ${about.downtimeMs} ms, the engine's events ${run.downMs} ms`)
      return run
    },
  }
}

function fresh(name) {
  const path = join(folder, name)
  rmSync(path, { recursive: true, force: true })
  return path
}

// ---- the lines

const figures = new Map()
/** Why some of them cannot count. */
const unproven = new Set()

function note(line, run) {
  const known = figures.get(line) ?? { down: [], wall: [] }
  known.down.push(run.downMs)
  known.wall.push(run.wallMs)
  figures.set(line, known)
  console.error(`bench: ${line}: down ${seconds(run.downMs)}`)
}

const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`

/** Median of the rounds' own ratios: what disturbed one round disturbed both. */
const ratio = (line, other) => median(figures.get(line).down.map((down, round) => down / figures.get(other).down[round]))

/** Turns them around every other round: neither always comes second. */
async function inTurns(round, ways) {
  for (const way of round % 2 === 0 ? ways : ways.toReversed()) await way()
}

async function onOrdinaryDisk() {
  const stack = await makeStack('ordinary', 'large', mebibytes)
  for (let round = 0; round < rounds; round++) {
    note('bare down, up', await bare(stack))
    await inTurns(round, [
      async () => {
        const script = scriptFor(stack)
        await script.init()
        note('script, first', await script.backup())
        note('script, unchanged', await script.backup())
      },
      async () => {
        const own = stackbkFor(stack, ['WARM_PASS=auto', 'FREEZE=none'])
        note('stackbk, first, warm pass', await own.backup({ stopMode: 'down', warmPass: true, frozenBy: null }))
        note('stackbk, unchanged, down', await own.backup({ stopMode: 'down', warmPass: false }, ['--stop-mode', 'down']))
        note('stackbk, unchanged, stop', await own.backup({ stopMode: 'stop', warmPass: false }, ['--stop-mode', 'stop']))
      },
    ])
  }
  await remove(stack)
}

async function onBtrfs() {
  for (const [size, big] of sizes) {
    const stack = await makeStack('btrfs', size, big)
    for (let round = 0; round < rounds; round++) {
      await inTurns(round, [
        async () => note(`btrfs, ${size}: bare down, up`, await bare(stack)),
        async () => {
          const own = stackbkFor(stack, ['FREEZE=auto'])
          note(`btrfs, ${size}: stackbk, first`, await own.backup({ stopMode: 'down', frozenBy: 'btrfs' }))
          note(`btrfs, ${size}: stackbk, unchanged`, await own.backup({ stopMode: 'down', frozenBy: 'btrfs' }))
        },
      ])
    }
    await remove(stack)
  }
}

async function onXfs() {
  const stacks = []
  for (const [size, big] of sizes) stacks.push([size, await makeStack('xfs', size, big)])
  for (let round = 0; round < rounds; round++) {
    for (const [size, stack] of stacks) {
      await inTurns(round, [
        async () => {
          const script = scriptFor(stack)
          await script.init()
          note(`xfs, ${size}: script, first`, await script.backup())
        },
        async () => note(`xfs, ${size}: stackbk, first, reflink`, await stackbkFor(stack, ['FREEZE=reflink']).backup({ stopMode: 'down', frozenBy: 'reflink' })),
      ])
    }
  }
  for (const [, stack] of stacks) await remove(stack)
}

const sizes = [['small', smallMebibytes], ['large', mebibytes]]

async function remove(stack) {
  await measure('docker', ['compose', 'down', '--timeout', '1'], { cwd: stack.directory })
  rmSync(stack.directory, { recursive: true, force: true })
}

function printFigures() {
  console.log(`\n${rounds} rounds; large: ${mebibytes} MiB in one file and ${fileCount} small files; small: ${smallMebibytes} MiB and as many; medians`)
  console.log(`${''.padEnd(40)} ${'down'.padStart(8)} ${'wall'.padStart(8)}`)
  for (const [line, { down, wall }] of figures) console.log(`${line.padEnd(40)} ${seconds(median(down)).padStart(8)} ${seconds(median(wall)).padStart(8)}`)
  console.log()
  if (only.includes('ordinary')) {
    report('first backup, warm pass, against the script', ratio('stackbk, first, warm pass', 'script, first'), 0.25)
    report('unchanged, down, against the script', ratio('stackbk, unchanged, down', 'script, unchanged'), 0.75)
    report('unchanged, stop, against the script', ratio('stackbk, unchanged, stop', 'script, unchanged'), 0.5)
  }
  if (only.includes('btrfs')) {
    for (const [size, big] of sizes) {
      for (const which of ['first', 'unchanged']) report(`btrfs, ${big} MiB, ${which}, against bare down, up`, ratio(`btrfs, ${size}: stackbk, ${which}`, `btrfs, ${size}: bare down, up`), 1.2)
    }
  }
  if (only.includes('xfs')) {
    report(`xfs, ${mebibytes} MiB, first, reflink, against the script`, ratio('xfs, large: stackbk, first, reflink', 'xfs, large: script, first'), 0.3)
    report(`xfs, first, reflink, ${mebibytes} MiB against ${smallMebibytes} MiB`, ratio('xfs, large: stackbk, first, reflink', 'xfs, small: stackbk, first, reflink'), 1.2)
  }
}

try {
  writeFileSync(passwordFile, 'benchmark\n', { mode: 0o600 })
  await makeImage(folder, image)
  if (only.includes('ordinary')) await onOrdinaryDisk()
  if (only.includes('btrfs')) await onBtrfs()
  if (only.includes('xfs')) await onXfs()
  printFigures()
  for (const reason of unproven) console.log(`NOT PROVEN: ${reason}, so the figures may be of another way than their line says`)
  if (unproven.size > 0) process.exitCode = 1
} finally {
  engine.close()
}
