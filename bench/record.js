// The record of snapshots after ten thousand backups: how large it is, and what it adds to the time of `status` and of a Tab. The
// backups are simulated with the very record that a run keeps: each night a snapshot is taken, and the oldest is forgotten.
//
//   BENCH_ROUNDS=7 BENCH_BACKUPS=10000
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SnapshotRecord } from '../dist/stages/snapshot-record.js'
import { measure, median, report } from './measure.js'

const rounds = Number(process.env.BENCH_ROUNDS ?? 7)
const backups = Number(process.env.BENCH_BACKUPS ?? 10_000)
/** As many as the default retention keeps of one stack. */
const kept = 19
const folder = mkdtempSync(join(tmpdir(), 'stackbk-record-'))
const at = (name) => join(folder, name)
/** A stack without a backup is overdue, which `status` says with 3. */
const stackbk = (state, ...args) => measure(process.execPath, ['bin/run.js', ...args], { accepted: [0, 3], env: { ...process.env, STACKBK_STATE_DIR: at(state), STACKBK_CONFIG: at('config.ini') } })

async function prepare() {
  mkdirSync(join(at('stacks'), 'one'), { recursive: true })
  writeFileSync(join(at('stacks'), 'one', 'compose.yaml'), 'services: {one: {image: none}}\n')
  writeFileSync(at('password'), 'benchmark\n', { mode: 0o600 })
  writeFileSync(at('dirlist'), 'one=true\n')
  writeFileSync(at('config.ini'), `[docker]\nDOCKER_STACKS_DIR=${at('stacks')}\n[local_backup]\nRESTIC_REPOSITORY=${at('repository')}\nRESTIC_PASSWORD_FILE=${at('password')}\n`, { mode: 0o600 })
  const repository = ['-r', at('repository'), '-p', at('password')]
  await measure('restic', ['init', ...repository])
  return JSON.parse((await measure('restic', ['cat', 'config', ...repository])).stdout).id
}

const snapshotId = (number) => createHash('sha256').update(String(number)).digest('hex')

/** Returns the milliseconds that keeping the record takes for each backup. */
function simulate(record) {
  const present = []
  const begun = performance.now()
  for (let number = 0; number < backups; number++) {
    present.push(snapshotId(number))
    record.noteSeen([present.at(-1)])
    if (present.length > kept) {
      const [oldest, ...others] = present
      record.willForget([oldest], others)
      record.didForget([present.shift()])
      record.notePublished()
    }
    record.settle(present)
  }
  return (performance.now() - begun) / backups
}

try {
  const id = await prepare()
  const long = join(at('long'), 'repositories')
  mkdirSync(at('short'))
  mkdirSync(long, { recursive: true })
  const perBackup = simulate(new SnapshotRecord(long, id))
  const bytes = statSync(join(long, `${id}.snapshots.jsonl`)).size
  console.log(`${backups} backups: the record has ${(bytes / 1024).toFixed(0)} KiB, and keeping it took ${perBackup.toFixed(2)} ms a backup`)
  report('size of the record, a backup', bytes / backups, 100, ' bytes')
  for (const [what, args] of [['status', ['status', '--json']], ['a Tab', ['complete', '--', 'recover', '']]]) {
    const ratios = []
    for (let round = 0; round < rounds; round++) {
      const short = await stackbk('short', ...args)
      const long = await stackbk('long', ...args)
      ratios.push(long.ms / short.ms)
    }
    report(`${what} with the long record against none`, median(ratios), 1.15)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
