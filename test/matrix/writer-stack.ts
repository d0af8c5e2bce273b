import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { testImage } from '../fixtures/busybox-image.js'
import { docker, politeCommand, quickHealthcheck } from '../fixtures/compose-stack.js'
import type { World, WorldStack } from '../fixtures/world.js'

/**
 * A database in small: numbered records with checksums, each on the disk before it is acknowledged. It takes the number of
 * the last record from the file, so one that lost its data begins anew. Told to end, it finishes its record and says so.
 */
const writerScript = `stop=no
trap 'stop=yes' TERM INT
touch /data/records
rm -f /data/clean
n=$(tail -n 1 /data/records | cut -d ' ' -f 1)
n=\${n:-0}
touch /tmp/ready
while [ $stop = no ]; do
  n=$((n + 1))
  set -- $(echo "record $n" | md5sum)
  echo "$n $1" >> /data/records
  fsync /data/records
  echo $n > /acknowledged/number.new
  mv /acknowledged/number.new /acknowledged/number
  sleep 0.1
done
touch /data/clean
`

/** What the data of one moment is worth. */
export interface Records {
  readonly count: number
  /** Empty for whole data. */
  readonly flaw: string
}

export interface WriterStack {
  readonly stack: WorldStack
  /** Records that the writer has acknowledged so far. */
  acknowledged(): number
  records(): Records
  /** What a snapshot holds, and whether the writer had ended in peace when it was read. */
  recordsIn(snapshot: string): Promise<Records & { readonly isClean: boolean }>
  /** What does not run or is not healthy, in words; empty when all is well. */
  health(): Promise<string>
  /** Of each container that by which Compose would tell an edit, and its image; the container's own ID too, if asked for. */
  fingerprint(withIds: boolean): Promise<string>
  /** New bytes for the next snapshot to read. */
  change(bytes: Buffer): void
}

export async function makeWriterStack(world: World, name: string, options: { readonly parent: string | null; readonly hasVolume: boolean }): Promise<WriterStack> {
  const acknowledging = options.hasVolume ? 'acknowledged:/acknowledged' : './acknowledged:/acknowledged'
  const stack = await world.stack(name, {
    ...(options.parent === null ? {} : { parent: options.parent }),
    files: { 'writer.sh': writerScript, 'data/records': '', 'acknowledged/.keep': '' },
    model: {
      services: {
        db: {
          image: testImage,
          command: ['sh', '/writer.sh'],
          volumes: ['./writer.sh:/writer.sh:ro', './data:/data', acknowledging],
          healthcheck: quickHealthcheck(),
          network_mode: 'none',
        },
        app: { image: testImage, command: politeCommand, depends_on: { db: { condition: 'service_healthy' } } },
      },
      ...(options.hasVolume ? { volumes: { acknowledged: {} } } : {}),
    },
  })
  const acknowledgedIn = options.hasVolume ? await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${stack.project}_acknowledged`) : join(stack.directory, 'acknowledged')
  return {
    stack,
    acknowledged: () => Number(readFileSync(join(acknowledgedIn, 'number'), 'utf8')),
    records: () => judge(stack.read('data/records')),
    async recordsIn(snapshot) {
      const [text, listed] = await Promise.all([world.restic('dump', '--no-lock', snapshot, join(stack.directory, 'data/records')), world.restic('ls', '--no-lock', snapshot, join(stack.directory, 'data'))])
      return { ...judge(text), isClean: listed.includes(join(stack.directory, 'data/clean')) }
    },
    async health() {
      const printed = await docker('ps', '-a', '--filter', `label=com.docker.compose.project=${stack.project}`, '--format', '{{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}')
      const [app, db, ...more] = printed.split('\n').sort()
      const isWell = /^app running Up/.test(app ?? '') && /^db running Up.*\(healthy\)/.test(db ?? '') && more.length === 0
      return isWell ? '' : `not as before: [${printed.replaceAll('\n', '; ')}]`
    },
    async fingerprint(withIds) {
      const ids = await docker('ps', '-aq', '--no-trunc', '--filter', `label=com.docker.compose.project=${stack.project}`)
      const format = '{{.Name}} {{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}{{range .Mounts}}\t{{.Type}} {{.Source}} {{.Destination}}{{end}}'
      const printed = ids === '' ? '' : await docker('inspect', '--format', withIds ? `{{.Id}} ${format}` : format, ...ids.split('\n'))
      // The engine gives the mounts in an order that is another one each time.
      return printed.split('\n').map((line) => line.split('\t').sort().join(', ')).sort().join('\n')
    },
    change: (bytes) => stack.write('data/blob', bytes),
  }
}

function judge(text: string): Records {
  const lines = text.split('\n')
  const rest = lines.pop() ?? ''
  const at = lines.findIndex((line, index) => line !== `${index + 1} ${createHash('md5').update(`record ${index + 1}\n`).digest('hex')}`)
  const flaw = at >= 0 ? `record ${at + 1} of ${lines.length} is "${lines[at]}"` : rest === '' ? '' : `the last record is cut short: "${rest}"`
  return { count: lines.length, flaw }
}
