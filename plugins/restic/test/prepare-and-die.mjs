// A stackbk in small that is killed while a snapshot is prepared. Arguments: settings as JSON, the source, and when to die:
// `ready`, or milliseconds after the start of the first phase.
import { dirname, join } from 'node:path'

import { restic } from '../dist/index.js'
import { createExec } from '../../../packages/tool-runner/dist/index.js'

const { AbortController, console, process, setTimeout } = globalThis
const [settings, source, when] = process.argv.slice(2)
const context = { signal: new AbortController().signal, log: () => {}, exec: createExec(), dryRun: false, cacheDir: join(dirname(source), 'cache') }
const engine = await restic.create(JSON.parse(settings), context)
const die = () => process.kill(process.pid, 'SIGKILL')
const prepared = engine.prepare({ paths: [source], tags: ['stackbk'], host: 'host-a', parent: null, excludes: ['*.tmp'] })
if (when === 'ready') {
  const ready = await prepared.ready
  console.log(ready.ok ? 'ready' : ready.failure.message)
  die()
} else setTimeout(die, Number(when))
