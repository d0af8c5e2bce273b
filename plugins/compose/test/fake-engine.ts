import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSocketServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

export interface FakeEngine {
  readonly socketPath: string
  /** Method and path of each request, with the API version and the query. */
  readonly requests: readonly string[]
}

type Answer = object | string | number | ((request: IncomingMessage, response: ServerResponse) => void)

/** Starts a server on a socket of its own that speaks like an engine of this API version. `answers`: by path without version and query; a number is a status. Ends with the test. */
export async function startFakeEngine({ apiVersion, answers = {} }: { readonly apiVersion?: string; readonly answers?: Readonly<Record<string, Answer>> }): Promise<FakeEngine> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const url = request.url ?? '/'
    requests.push(`${request.method} ${url}`)
    if (apiVersion !== undefined) response.setHeader('api-version', apiVersion)
    const path = url.replace(/^\/v\d+\.\d+(?=\/)/, '').replace(/\?.*$/, '')
    const answer = answers[path] ?? (path === '/_ping' ? 'OK' : 404)
    if (typeof answer === 'function') answer(request, response)
    else if (typeof answer === 'number') response.writeHead(answer, { 'content-type': 'application/json' }).end(JSON.stringify({ message: `refused with ${answer}` }))
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  return { socketPath: await listenOnSocket(server), requests }
}

/** Starts a server that accepts connections and never says a word. */
export async function startHangingEngine(): Promise<string> {
  return listenOnSocket(createSocketServer((socket) => socket.on('error', () => {})))
}

/** Starts a server that says this to every connection, and ends it. */
export async function startBabblingEngine(words: string): Promise<string> {
  return listenOnSocket(createSocketServer((socket) => {
    socket.on('error', () => {})
    socket.end(words)
  }))
}

/** Has `DOCKER_HOST` name this socket until the test ends; `null`: as it was before. */
export function useEngine(socketPath: string | null): void {
  const before = process.env['DOCKER_HOST']
  setVariable(socketPath === null ? original : `unix://${socketPath}`)
  onTestFinished(() => setVariable(before))
}

const original = process.env['DOCKER_HOST']

function setVariable(value: string | undefined): void {
  if (value === undefined) delete process.env['DOCKER_HOST']
  else process.env['DOCKER_HOST'] = value
}

async function listenOnSocket(server: Server): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'stackbk-fake-engine-'))
  const socketPath = join(folder, 'engine.sock')
  const sockets = new Set<{ destroy(): unknown }>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  onTestFinished(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await closed
    rmSync(folder, { recursive: true, force: true })
  })
  return socketPath
}
