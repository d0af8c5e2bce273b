// What a command costs before it does anything, against a bare Node, in turns so that the machine's speed drifts for both.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { measure, median, report } from './measure.js'

const rounds = Number(process.env.BENCH_ROUNDS ?? 15)
const folder = mkdtempSync(join(tmpdir(), 'stackbk-bench-'))
const stacks = join(folder, 'stacks')
for (const name of ['one', 'two', 'three']) {
  mkdirSync(join(stacks, name), { recursive: true })
  writeFileSync(join(stacks, name, 'compose.yaml'), 'services: {}\n')
}
writeFileSync(join(folder, 'config.ini'), `[docker]\nDOCKER_STACKS_DIR=${stacks}\n`, { mode: 0o600 })

const bare = ['-e', '0']
const contenders = {
  'stackbk --version': { args: ['bin/run.js', '--version'], goal: 2.2 },
  'stackbk dirlist list --json': { args: ['bin/run.js', 'dirlist', 'list', '--json', '--config', join(folder, 'config.ini')], goal: 2.5 },
}
try {
  for (const [name, { args, goal }] of Object.entries(contenders)) {
    const ratios = []
    await measure(process.execPath, args)
    for (let round = 0; round < rounds; round++) {
      const base = await measure(process.execPath, bare)
      const own = await measure(process.execPath, args)
      ratios.push(own.ms / base.ms)
    }
    report(`${name} against node -e 0`, median(ratios), goal)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
