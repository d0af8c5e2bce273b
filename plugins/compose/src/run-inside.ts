import { StringDecoder } from 'node:string_decoder'

import { answered, failed } from '@stackbk/contract'
import type { Answer, CallOptions, InsideResult } from '@stackbk/contract'

import type { Docker } from './docker.js'
import { type EngineStream, pathOf } from './engine.js'
import { record, text } from './json.js'

/** How many lines of each stream are kept. */
const keptLines = 50

/** How many characters of each stream are kept while it is read. */
const keptCharacters = 1024 * 1024

/** The engine's own words: the command was not run, whatever the exit code looks like. */
const notRun = /^(?:OCI runtime exec failed|Error response from daemon|Error: No such container)/m

/** Runs a command in a running container: as its own user, with no input and no terminal. */
export async function runInside(docker: Docker, containerId: string, argv: readonly string[], request: { readonly timeoutMs: number } & CallOptions): Promise<Answer<InsideResult>> {
  const [command] = argv
  if (command === undefined || command === '') return failed({ kind: 'usage', message: 'There is no command to run in the container' })
  const what = `docker exec of ${command}`
  const notRunBecause = (toolOutput: string): Answer<never> => failed({ kind: 'failed', message: `${command} could not be run in container ${containerId.slice(0, 12)}`, toolOutput })
  const limitAt = performance.now() + request.timeoutMs
  const left = (): number => Math.max(1, limitAt - performance.now())
  const made = await docker.engine.request({ what, method: 'POST', path: pathOf('containers', containerId, 'exec'), body: { AttachStdout: true, AttachStderr: true, Cmd: argv }, signal: request.signal, timeoutMs: left() })
  if (!made.ok) return made.failure.kind === 'failed' ? notRunBecause(made.failure.toolOutput ?? '') : made
  const id = text(record(made.value.body)['Id'])
  const stream = await docker.engine.stream({ what, method: 'POST', path: pathOf('exec', id, 'start'), body: { Detach: false, Tty: false }, signal: request.signal, timeoutMs: left() })
  if (!stream.ok) return stream.failure.kind === 'failed' ? notRunBecause(stream.failure.toolOutput ?? '') : stream
  const read = await readStreams(stream.value, left())
  if (request.signal?.aborted === true) return failed({ kind: 'cancelled', message: `${what} was cancelled` })
  if (read.end === 'broken') return failed({ kind: 'tool-not-answering', message: `The Docker engine broke off ${what}`, fix: 'See whether the Docker engine answers: docker info' })
  const output = [read.stdout, read.stderr].flatMap((written) => lastLines(written).map((line) => docker.confidential.hideIn(line)))
  if (read.end === 'late') return answered({ exitCode: null, output: output.join('\n') })
  const ended = await docker.engine.request({ what, path: pathOf('exec', id, 'json') })
  if (!ended.ok) return ended
  const exitCode = record(ended.value.body)['ExitCode']
  if (exitCode !== 0 && notRun.test(`${read.stdout}\n${read.stderr}`)) return notRunBecause(lastLines(read.stderr).slice(-5).join('\n') || lastLines(read.stdout).slice(-5).join('\n'))
  return answered({ exitCode: typeof exitCode === 'number' ? exitCode : null, output: output.join('\n') })
}

function lastLines(written: string): string[] {
  return written.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '').slice(-keptLines)
}

interface Streams {
  readonly stdout: string
  readonly stderr: string
  /** `late`: the limit passed. `broken`: the connection ended within a frame. */
  readonly end: 'complete' | 'late' | 'broken'
}

/** Each frame begins with 8 bytes: the stream's number, three zeros, and the length of what follows. */
async function readStreams({ body, close }: EngineStream, limitMs: number): Promise<Streams> {
  const written = { stdout: '', stderr: '' }
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  let rest = Buffer.alloc(0)
  let isLate = false
  let isBroken = false
  const limit = setTimeout(() => {
    isLate = true
    body.destroy()
  }, limitMs)
  try {
    for await (const chunk of body) {
      rest = Buffer.concat([rest, chunk as Buffer])
      while (rest.length >= 8 && rest.length >= 8 + rest.readUInt32BE(4)) {
        const length = rest.readUInt32BE(4)
        const stream = rest[0] === 2 ? 'stderr' : 'stdout'
        written[stream] = (written[stream] + decoders[stream].write(rest.subarray(8, 8 + length))).slice(-keptCharacters)
        rest = rest.subarray(8 + length)
      }
    }
  } catch {
    isBroken = true
  } finally {
    clearTimeout(limit)
    close()
  }
  return { ...written, end: isLate ? 'late' : isBroken || rest.length > 0 ? 'broken' : 'complete' }
}
