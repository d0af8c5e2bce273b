// What the benchmarks measure on: an image made here, a stack of two services of which one waits for the other's health, and
// the engine's own word on when they ended and started.
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { measure } from './measure.js'

/** How long the engine's news of the last start may take after the command has ended. */
const newsLimitMs = 10_000
const pollMs = 20

/** An image with nothing but busybox, without a registry. */
export async function makeImage(folder, image) {
  const root = join(folder, 'image')
  for (const part of ['bin', 'tmp', 'data']) mkdirSync(join(root, part), { recursive: true })
  copyFileSync((await measure('sh', ['-c', 'command -v busybox'])).output.trim(), join(root, 'bin/busybox'))
  for (const applet of ['sh', 'sleep', 'test', 'touch']) symlinkSync('busybox', join(root, 'bin', applet))
  await measure('sh', ['-c', 'tar -C "$0" -c . | docker import - "$1"', root, image])
}

/**
 * The compose file of two services; `volumes` are the database's. They rest while nothing is done to them, so that what is
 * measured is the tools and not the stacks' own load: health is asked for often only until it is there.
 */
export function writeStack(directory, { project, image, volumes, declared = '' }) {
  mkdirSync(join(directory, 'data'), { recursive: true })
  writeFileSync(
    join(directory, 'compose.yaml'),
    `name: ${project}
services:
  database:
    image: ${image}
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; touch /tmp/ready; sleep 1000000 & wait"]
    volumes: [${volumes}]
    healthcheck: {test: ["CMD", "/bin/test", "-f", "/tmp/ready"], start_interval: 0.5s, start_period: 60s, interval: 30s, retries: 20}
  web:
    image: ${image}
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 1000000 & wait"]
    depends_on: {database: {condition: service_healthy}}
${declared}`,
  )
}

/** Listens to the engine until `close`: when each container of a project whose name begins with `prefix` ended and started. */
export function listenToEngine(prefix) {
  const format = '{{.TimeNano}} {{.Action}} {{index .Actor.Attributes "com.docker.compose.project"}}'
  const listener = spawn('docker', ['events', '--filter', 'type=container', '--filter', 'event=die', '--filter', 'event=start', '--format', format], { stdio: ['ignore', 'pipe', 'ignore'] })
  const events = []
  let rest = ''
  listener.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      const [nano, action, project] = line.split(' ')
      if (project?.startsWith(prefix)) events.push({ at: Number(nano) / 1e6, action, project })
    }
  })
  return {
    /** Does the work; `downtimes` is first end to last start of each project in milliseconds, once all their containers are heard to run again. */
    async during(work, { projects, containers }) {
      const seen = events.length
      const result = await work()
      const heard = (project, action) => events.slice(seen).filter((event) => event.project === project && event.action === action)
      const isBack = (project) => heard(project, 'die').length >= containers && heard(project, 'start').length >= containers
      for (const limit = Date.now() + newsLimitMs; !projects.every(isBack); await delay(pollMs)) {
        if (Date.now() > limit) throw new Error(`the engine did not tell that all of ${projects.filter((project) => !isBack(project)).join(', ')} ended and started again`)
      }
      return { ...result, downtimes: projects.map((project) => heard(project, 'start').at(-1).at - heard(project, 'die')[0].at) }
    },
    close: () => listener.kill(),
  }
}
