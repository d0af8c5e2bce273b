// The whole way back against the bare tools: `stackbk restore --recover --all` against `rclone copy`, `restic restore` of each
// stack and `docker compose up -d`, for the same bytes and the same containers, in turns, with no cache of restic's. Three stacks;
// data in the folder, half of it in one big file that nothing compresses.
//
//   BENCH_ROUNDS=3 BENCH_MIB=512 BENCH_FILES=3000   the bytes and small files of each stack
import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { measure, median, report } from './measure.js'
import { makeImage, writeStack } from './stack.js'

const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const mebibytes = Number(process.env.BENCH_MIB ?? 512)
const fileCount = Number(process.env.BENCH_FILES ?? 3000)
const folder = mkdtempSync(join(tmpdir(), 'stackbk-disaster-'))
const tag = `stackbk-disaster-${process.pid}`
const image = `${tag}/busybox:1`
const names = ['one', 'two', 'three']
const at = (name) => join(folder, name)
const env = { ...process.env, STACKBK_STATE_DIR: at('state'), RESTIC_CACHE_DIR: at('cache'), RCLONE_CONFIG: at('rclone.conf') }

const stackbk = (...args) => measure(process.execPath, ['bin/run.js', ...args, '--json', '--config', at('config.ini')], { env })
const compose = (name, ...args) => measure('docker', ['compose', '-p', `${tag}-${name}`, '--project-directory', join(at('stacks'), name), ...args], { env })

function writeData(directory) {
  const part = Buffer.alloc(1024 ** 2)
  for (let written = 0; written < mebibytes; written++) appendFileSync(join(directory, 'big'), randomFillSync(part))
  for (let number = 0; number < fileCount; number++) {
    const below = join(directory, `small${Math.floor(number / 500)}`)
    if (number % 500 === 0) mkdirSync(below)
    writeFileSync(join(below, `file${number}`), `${directory} ${number}\n`.repeat(5 + (number % 40)))
  }
}

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
    writeData(join(directory, 'data'))
    await compose(name, 'up', '-d')
  }
  await stackbk('backup')
  await stackbk('sync')
}

async function erase() {
  for (const name of names) await compose(name, 'down').catch(() => measure('docker', ['compose', '-p', `${tag}-${name}`, 'down'], { env }))
  for (const name of ['stacks', 'state', 'repository', 'cache']) rmSync(at(name), { recursive: true, force: true })
  mkdirSync(at('stacks'))
  // No run pays for another one's bytes.
  await measure('sync', ['--file-system', folder])
}

/** What an administrator types who knows all of it by heart. */
async function bare() {
  const restic = { ...env, RESTIC_REPOSITORY: at('repository'), RESTIC_PASSWORD_FILE: at('password') }
  const begun = performance.now()
  await measure('rclone', ['copy', 'cloud:/backup', at('repository')], { env })
  const copied = performance.now()
  for (const name of names) await measure('restic', ['restore', 'latest', '--tag', `stackbk,stack:${name}`, '--target', '/', '--include', join(at('stacks'), name), '--quiet'], { env: restic })
  const restored = performance.now()
  for (const name of names) await compose(name, 'up', '-d', '--wait')
  return { ms: performance.now() - begun, copyMs: copied - begun, restoreMs: restored - copied }
}

async function ours() {
  const begun = performance.now()
  const { stdout } = await stackbk('restore', '--recover', '--all')
  const result = JSON.parse(stdout)
  if (result.status !== 'ok' || result.recover.stacks.some(({ healthy }) => !healthy)) throw new Error(stdout)
  return { ms: performance.now() - begun, restoreMs: result.durationMs - result.recover.durationMs, recoverMs: result.recover.durationMs }
}

try {
  await prepare()
  const seen = { bare: [], ours: [] }
  for (let round = 0; round < rounds; round++) {
    for (const [way, work] of round % 2 === 0 ? [['bare', bare], ['ours', ours]] : [['ours', ours], ['bare', bare]]) {
      await erase()
      const run = await work()
      seen[way].push(run)
      console.log(`${way.padEnd(5)} ${Object.entries(run).map(([key, value]) => `${key} ${Math.round(value)}`).join('  ')}`)
    }
  }
  const middle = (way) => median(seen[way].map(({ ms }) => ms))
  console.log(`${names.length} stacks of ${mebibytes} MiB and ${fileCount} files: bare tools ${Math.round(middle('bare'))} ms, stackbk ${Math.round(middle('ours'))} ms`)
  report('restore --recover --all, against rclone + restic + compose', middle('ours') / middle('bare'), 1.15)
} finally {
  for (const name of names) await measure('docker', ['compose', '-p', `${tag}-${name}`, 'down', '-v'], { env }).catch(() => {})
  await measure('docker', ['image', 'rm', image]).catch(() => {})
  rmSync(folder, { recursive: true, force: true })
}
