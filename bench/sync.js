import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { measure, median, report } from './measure.js'

const program = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const [packs, bytes] = [Number(process.env.BENCH_PACKS ?? 10_000), Number(process.env.BENCH_BYTES ?? 2 * 1024 ** 3)]
/** Goals: milliseconds over bare rclone with nothing new; times bare rclone for the first upload, hashing included. */
const [goalMs, goalRatio] = [1000, 1.2]

const root = mkdtempSync(join(tmpdir(), 'stackbk-bench-sync-'))
const at = (name) => join(root, name)
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
for (const sign of ['SIGINT', 'SIGTERM']) process.once(sign, () => process.exit(1))

for (const folder of ['remote', 'stacks', 'source']) mkdirSync(at(folder))
writeFileSync(at('password'), 'secret\n', { mode: 0o600 })
writeFileSync(at('rclone.conf'), `[cloud]\ntype = alias\nremote = ${at('remote')}\n`, { mode: 0o600 })
const environment = { ...process.env, STACKBK_STATE_DIR: at('state'), RESTIC_CACHE_DIR: at('cache'), RESTIC_PASSWORD_FILE: at('password'), NO_COLOR: '1' }
const restic = (repository, ...args) => execFileSync('restic', ['--repo', repository, '--quiet', ...args], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })

/** A call of stackbk with a configuration of its own for this repository. */
function stackbk(repository, path) {
  const file = at(`${path}.ini`)
  writeFileSync(file, `[docker]\nDOCKER_STACKS_DIR=${at('stacks')}\n[local_backup]\nRESTIC_REPOSITORY=${repository}\nRESTIC_PASSWORD_FILE=${at('password')}\n[cloud_sync]\nRCLONE_REMOTE=cloud\nRCLONE_PATH=/${path}\nRCLONE_CONFIG=${at('rclone.conf')}\n`, { mode: 0o600 })
  return measure(process.execPath, [program, 'sync', '--config', file], { env: environment, withMemory: true })
}
const rclone = (verb, repository, path) => measure('rclone', [verb, repository, `cloud:${path}`, '--config', at('rclone.conf'), '--exclude', '/locks/**'], { env: environment })

/** What does not follow from restic's own work: packs that no index names, as an interrupted backup leaves them. */
function addPacks(repository, count) {
  for (let number = 0; number < count; number++) {
    const content = randomBytes(1000)
    const name = createHash('sha256').update(content).digest('hex')
    writeFileSync(join(repository, 'data', name.slice(0, 2), name), content)
  }
}

const many = at('many')
restic(many, 'init')
writeFileSync(join(at('source'), 'file'), 'x')
restic(many, 'backup', at('source'))
addPacks(many, packs - readdirSync(join(many, 'data'), { recursive: true }).filter((file) => file.length > 64).length)
await stackbk(many, 'many')
const nothingNew = []
let peakBytes = 0
for (let round = 0; round < rounds; round++) {
  const bare = await rclone('sync', many, 'many')
  const ours = await stackbk(many, 'many')
  nothingNew.push(ours.ms - bare.ms)
  peakBytes = Math.max(peakBytes, ours.peakBytes)
  console.log(`nothing new, ${packs} packs: rclone sync ${Math.round(bare.ms)} ms, stackbk sync ${Math.round(ours.ms)} ms`)
}
rmSync(many, { recursive: true })
rmSync(join(at('remote'), 'many'), { recursive: true })

const large = at('large')
restic(large, 'init')
const blob = openSync(join(at('source'), 'blob'), 'w')
for (let left = bytes; left > 0; left -= 2 ** 24) writeSync(blob, randomBytes(Math.min(left, 2 ** 24)))
closeSync(blob)
restic(large, 'backup', at('source'))
rmSync(at('source'), { recursive: true })
const upload = []
for (let round = 0; round < rounds; round++) {
  const bare = await rclone('copy', large, `bare${round}`)
  rmSync(join(at('remote'), `bare${round}`), { recursive: true })
  const ours = await stackbk(large, `ours${round}`)
  rmSync(join(at('remote'), `ours${round}`), { recursive: true })
  upload.push(ours.ms / bare.ms)
  console.log(`first upload of ${(bytes / 1024 ** 3).toFixed(1)} GiB: rclone copy ${Math.round(bare.ms)} ms, stackbk sync ${Math.round(ours.ms)} ms`)
}

report(`sync, nothing new among ${packs} packs, over rclone sync`, median(nothingNew), goalMs, ' ms')
report('first upload, hashing included, to rclone copy', median(upload), goalRatio)
report(`peak memory of the process, ${packs} packs`, peakBytes / 1024 ** 2, 200, ' MB')
