import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, InsideResult } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { lastWords } from './docker.js'

/** How many lines of each stream are kept. */
const keptLines = 50

/** Words of docker itself: the command was not run, whatever the exit code looks like. */
const notRun = /^(?:OCI runtime exec failed|Error response from daemon|Error: No such container|error during connect|Cannot connect to the Docker daemon)/m

/** Runs a command in a running container: as its own user, with no input and no terminal. */
export async function runInside(docker: Docker, containerId: string, argv: readonly string[], request: { readonly timeoutMs: number } & CallOptions): Promise<Answer<InsideResult>> {
  const [command] = argv
  if (command === undefined || command === '') return failed({ kind: 'usage', message: 'There is no command to run in the container' })
  const what = `docker exec of ${command}`
  const ran = await docker.attempt(what, ['exec', '--', containerId, ...argv], { signal: request.signal, timeoutMs: request.timeoutMs })
  if (!ran.ok) return ran
  const { outcome, exitCode, stdout, stderr } = ran.value
  // Docker exits with 1, 125, 126 or 127 of its own; so may any command.
  if (outcome === 'exited' && exitCode !== 0 && notRun.test(`${stdout}\n${stderr}`)) {
    return failed({ kind: 'failed', message: `${command} could not be run in container ${containerId.slice(0, 12)}`, toolOutput: lastWords(stderr) || lastWords(stdout) })
  }
  const output = [stdout, stderr].flatMap((stream) => stream.split('\n').map((line) => docker.confidential.hideIn(line.trimEnd())).filter((line) => line !== '').slice(-keptLines))
  return answered({ exitCode: outcome === 'timed-out' ? null : exitCode, output: output.join('\n') })
}
