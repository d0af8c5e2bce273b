// A drill of three tiny stacks from the copy in a folder, against a drill of one of them, in turns: what several stacks at once cost
// more than one alone. Each stack has two services of which one waits for the other's health, and one that has no health check has
// to run for two seconds. The drill fetches the whole copy in both cases.
//
//   BENCH_ROUNDS=3 BENCH_MIB=8   the bytes of each stack
import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { measure, median, report } from './measure.js'
import { makeImage, writeStack } from './stack.js'

const program = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const mebibytes = Number(process.env.BENCH_MIB ?? 8)
/** Goals on a machine with nothing else to do: seconds of three stacks, and times a drill of one. */
const [goalSeconds, goalRatio] = [8, 1.75]
const folder = mkdtempSync(join(tmpdir(), 'stackbk-bench-drill-'))
const tag = `stackbk-bench-drill-${process.pid}`
const image = `${tag}/busybox:1`
const names = ['one', 'two', 'three']
const at = (name) => join(folder, name)
const env = { ...process.env, STACKBK_STATE_DIR: at('state'), RESTIC_CACHE_DIR: at('cache'), RCLONE_CONFIG: at('rclone.conf') }

const stackbk = (...args) => measure(process.execPath, [program, ...args, '--json', '--config', at('config.ini')], { env })
const compose = (name, ...args) => measure('docker', ['compose', '-p', `${tag}-${name}`, '--project-directory', join(at('stacks'), name), ...args], { env })

async function prepare() {
  for (const name of ['stacks', 'remote']) mkdirSync(at(name))
  writeFileSync(at('password'), 'secret\n', { mode: 0o600 })
  writeFileSync(at('rclone.conf'), `[cloud]\ntype = alias\nremote = ${at('remote')}\n`, { mode: 0o600 })
  const lines = ['[docker]', `DOCKER_STACKS_DIR=${at('stacks')}`, `DIRLIST=${at('dirlist')}`, '[local_backup]', `RESTIC_REPOSITORY=${at('repository')}`, `RESTIC_PASSWORD_FILE=${at('password')}`, 'ENABLE_VERIFICATION=false', '[cloud_sync]', 'RCLONE_REMOTE=cloud', 'RCLONE_PATH=/backup', `RCLONE_CONFIG=${at('rclone.conf')}`]
  writeFileSync(at('config.ini'), lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
  writeFileSync(at('dirlist'), names.map((name) => `${name}=true\n`).join(''))
  await makeImage(folder, image)
  for (const name of names) {
    const directory = join(at('stacks'), name)
    writeStack(directory, { project: `${tag}-${name}`, image, volumes: '"./data:/data"' })
    for (let written = 0; written < mebibytes; written++) appendFileSync(join(directory, 'data/file'), randomFillSync(Buffer.alloc(1024 ** 2)))
    await compose(name, 'up', '-d')
  }
  await stackbk('backup')
  await stackbk('sync')
}

async function drill(stacks) {
  const { ms, stdout } = await stackbk('drill', ...stacks)
  const result = JSON.parse(stdout)
  if (result.status !== 'ok' || result.stacks.length !== stacks.length) throw new Error(stdout)
  return ms
}

try {
  await prepare()
  const seen = { one: [], three: [] }
  for (let round = 0; round < rounds; round++) {
    for (const [what, stacks] of [['one', names.slice(0, 1)], ['three', names]]) {
      const ms = await drill(stacks)
      seen[what].push(ms)
      console.log(`drill of ${what.padEnd(5)} ${Math.round(ms)} ms`)
    }
  }
  const [one, three] = [median(seen.one), median(seen.three)]
  console.log(`drills of ${mebibytes} MiB a stack: one ${Math.round(one)} ms, three ${Math.round(three)} ms`)
  report('drill of three tiny stacks', three / 1000, goalSeconds, ' s')
  report('drill of three tiny stacks, to a drill of one', three / one, goalRatio)
} finally {
  if (process.env.BENCH_KEEP_LOG !== undefined) await measure('cp', [join(at('state'), 'stackbk.log'), process.env.BENCH_KEEP_LOG])
  for (const name of names) await measure('docker', ['compose', '-p', `${tag}-${name}`, 'down', '-v'], { env }).catch(() => {})
  await measure('docker', ['image', 'rm', image]).catch(() => {})
  rmSync(folder, { recursive: true, force: true })
}
